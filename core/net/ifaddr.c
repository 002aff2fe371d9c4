#include "core/net/ifaddr.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

enum {
	MARK = 187,	 /* IFA_PROTO: 0..3 are the kernel's */
	ATTR_PROTO = 11, /* IFA_PROTO; older headers lack the name */
	OURS_MAX = 256,
};

unsigned ifaddr_index(const char *interface)
{
	return if_nametoindex(interface);
}

struct failure {
	int number;
	char text[96];
};

static void on_error(void *arg, uint32_t index, int number, const char *text)
{
	struct failure *f = arg;

	(void)index;
	f->number = number;
	(void)strncpy(f->text, text, sizeof(f->text) - 1);
}

static enum gw_err code_of(int number)
{
	switch (number) {
	case ENODEV:
	case EADDRNOTAVAIL:
	case ENOENT:
		return GW_ENOTFOUND;
	case EPERM:
	case EACCES:
		return GW_EPERM;
	case EEXIST:
		return GW_EEXIST;
	default:
		return GW_EIO;
	}
}

static enum gw_err change(struct nl_socket *nl, const struct ifaddr_entry *a, uint16_t type, uint16_t flags,
			  uint32_t valid_s, struct err *e)
{
	struct ifaddrmsg head = { .ifa_family = a->addr.family == 6 ? AF_INET6 : AF_INET,
				  .ifa_prefixlen = a->len,
				  .ifa_index = a->index };
	struct failure f = { 0 };
	struct nl_handler h = { .error = on_error, .arg = &f };
	_Alignas(struct nlmsghdr) uint8_t buf[256];
	struct nl_batch b;
	char text[ADDR_TEXT];
	enum gw_err r;

	nl_reset(&b, buf, sizeof(buf), nl->seq);
	nl_begin(&b, type, flags, &head, sizeof(head));
	nl_put(&b, IFA_LOCAL, a->addr.b, addr_len(&a->addr));
	nl_put(&b, IFA_ADDRESS, a->addr.b, addr_len(&a->addr));
	if (type == RTM_NEWADDR) {
		struct ifa_cacheinfo life = { .ifa_valid = valid_s, .ifa_prefered = a->addr.family == 6 ? 0 : valid_s };
		const uint8_t mark = MARK;

		nl_put(&b, IFA_CACHEINFO, &life, sizeof(life));
		nl_put(&b, ATTR_PROTO, &mark, sizeof(mark));
		if (a->addr.family == 6)
			nl_put_u32(&b, IFA_FLAGS, IFA_F_NODAD);
	}
	if (!nl_end(&b))
		return err_set(e, GW_EINTERNAL, "address request too long");
	r = nl_exchange(nl, &b, &h);
	if (r == GW_OK && f.number != 0)
		r = code_of(f.number);
	if (r == GW_OK)
		return GW_OK;
	return err_set(e, r, "%s address %s/%u: %s%s%s", type == RTM_NEWADDR ? "adding" : "removing",
		       addr_text(&a->addr, text), a->len, f.number ? strerror(f.number) : gw_err_text(r),
		       f.text[0] ? ": " : "", f.text);
}

enum gw_err ifaddr_put(struct nl_socket *nl, const struct ifaddr_entry *a, uint32_t valid_s, struct err *e)
{
	if (valid_s == 0 || a->addr.family == 0 || a->len > addr_len(&a->addr) * 8)
		return err_set(e, GW_EINVAL, "no address to add");
	return change(nl, a, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, valid_s, e);
}

enum gw_err ifaddr_drop(struct nl_socket *nl, const struct ifaddr_entry *a, struct err *e)
{
	return change(nl, a, RTM_DELADDR, 0, 0, e);
}

/* ---- listing ---- */

struct listing {
	void (*each)(void *arg, const struct ifaddr_entry *a);
	void *arg;
	struct failure failure;
};

static void list_error(void *arg, uint32_t index, int number, const char *text)
{
	struct listing *l = arg;

	on_error(&l->failure, index, number, text);
}

static void list_data(void *arg, uint32_t index, const struct nlmsghdr *nlh)
{
	struct bytes rest = nl_attrs(nlh, sizeof(struct ifaddrmsg)), v;
	struct listing *l = arg;
	struct ifaddrmsg head;
	struct ifa_cacheinfo life = { .ifa_valid = UINT32_MAX };
	struct ifaddr_entry a = { 0 };
	uint32_t flags;
	bool local = false;
	uint16_t type;

	(void)index;
	if (nlh->nlmsg_type != RTM_NEWADDR || nlh->nlmsg_len < sizeof(*nlh) + sizeof(head))
		return;
	memcpy(&head, nlh + 1, sizeof(head));
	a.index = head.ifa_index;
	a.len = head.ifa_prefixlen;
	flags = head.ifa_flags;
	while (nl_attr_next(&rest, &type, &v)) {
		/* The local one is ours, IFA_ADDRESS the other end on point-to-point interfaces. */
		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !local))
			local = addr_from_bytes(&a.addr, v) && type == IFA_LOCAL;
		else if (type == IFA_CACHEINFO && v.n >= sizeof(life))
			memcpy(&life, v.p, sizeof(life));
		else if (type == IFA_FLAGS && v.n >= sizeof(flags))
			memcpy(&flags, v.p, sizeof(flags));
		else if (type == ATTR_PROTO && v.n >= 1)
			a.ours = v.p[0] == MARK;
	}
	a.valid_s = life.ifa_valid;
	a.tentative = flags & IFA_F_TENTATIVE;
	if (a.addr.family != 0)
		l->each(l->arg, &a);
}

enum gw_err ifaddr_list(struct nl_socket *nl, void (*each)(void *arg, const struct ifaddr_entry *a), void *arg,
			struct err *e)
{
	const struct ifaddrmsg head = { .ifa_family = AF_UNSPEC };
	struct listing l = { .each = each, .arg = arg };
	struct nl_handler h = { .error = list_error, .data = list_data, .arg = &l };
	_Alignas(struct nlmsghdr) uint8_t buf[64];
	struct nl_batch b;
	enum gw_err r;

	nl_reset(&b, buf, sizeof(buf), nl->seq);
	nl_begin(&b, RTM_GETADDR, NLM_F_DUMP, &head, sizeof(head));
	if (!nl_end(&b))
		return err_set(e, GW_EINTERNAL, "address request too long");
	r = nl_exchange(nl, &b, &h);
	if (r == GW_OK && l.failure.number != 0)
		r = code_of(l.failure.number);
	return r == GW_OK ? GW_OK : err_set(e, r, "listing addresses: %s", gw_err_text(r));
}

struct found {
	struct ifaddr_entry list[OURS_MAX];
	size_t n;
};

static void keep_ours(void *arg, const struct ifaddr_entry *a)
{
	struct found *f = arg;

	if (a->ours && f->n < OURS_MAX)
		f->list[f->n++] = *a;
}

size_t ifaddr_drop_ours(struct nl_socket *nl, struct err *e)
{
	struct found f = { .n = 0 };
	size_t gone = 0;

	if (ifaddr_list(nl, keep_ours, &f, e) != GW_OK)
		return 0;
	for (size_t i = 0; i < f.n; i++)
		gone += ifaddr_drop(nl, &f.list[i], e) == GW_OK;
	return gone;
}
