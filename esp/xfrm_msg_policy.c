#include <arpa/inet.h>
#include <netinet/in.h>

#include "esp/xfrm_wire.h"

static struct xfrm_selector selector_in_kernel(const struct xfrm_policy *p)
{
	const struct xfrm_row *r = &p->row;
	bool out = p->dir == XFRM_POLICY_OUT;
	const struct prefix *src = out ? &r->ours : &r->theirs, *dst = out ? &r->theirs : &r->ours;
	struct xfrm_selector s;

	memset(&s, 0, sizeof(s));
	s.saddr = wire_addr(&src->addr);
	s.daddr = wire_addr(&dst->addr);
	s.prefixlen_s = src->len;
	s.prefixlen_d = dst->len;
	s.sport = htons(out ? r->our_port : r->their_port);
	s.sport_mask = htons(out ? r->our_mask : r->their_mask);
	s.dport = htons(out ? r->their_port : r->our_port);
	s.dport_mask = htons(out ? r->their_mask : r->our_mask);
	/* RFC 4301 4.4.1.1: ICMP's type and code are no ports of either side; the kernel has the type as source. */
	if (r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6) {
		s.sport = htons(r->our_port);
		s.sport_mask = htons(r->our_mask);
		s.dport = htons(r->their_port);
		s.dport_mask = htons(r->their_mask);
	}
	s.family = wire_family(src->addr.family ? &src->addr : &dst->addr);
	s.proto = r->proto;
	s.user = p->sign;
	return s;
}

static void put_template(struct nl_batch *b, const struct xfrm_policy *p)
{
	bool out = p->dir == XFRM_POLICY_OUT;
	struct xfrm_user_tmpl t;

	memset(&t, 0, sizeof(t));
	t.id.spi = htonl(p->spi);
	t.id.proto = IPPROTO_ESP;
	t.id.daddr = wire_addr(out ? &p->remote : &p->local);
	t.saddr = wire_addr(out ? &p->local : &p->remote);
	t.family = p->remote.family ? wire_family(&p->remote) : selector_in_kernel(p).family;
	t.reqid = p->reqid;
	t.mode = p->mode == DP_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	t.aalgos = t.ealgos = t.calgos = UINT32_MAX;
	nl_put(b, XFRMA_TMPL, &t, sizeof(t));
}

bool xfrm_put_policy(struct nl_batch *b, const struct xfrm_policy *p)
{
	struct xfrm_userpolicy_info i;

	memset(&i, 0, sizeof(i));
	i.sel = selector_in_kernel(p);
	i.lft.soft_byte_limit = i.lft.hard_byte_limit = XFRM_NO_LIMIT;
	i.lft.soft_packet_limit = i.lft.hard_packet_limit = XFRM_NO_LIMIT;
	i.priority = p->priority;
	i.dir = p->dir;
	i.action = p->block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
	nl_begin(b, XFRM_MSG_UPDPOLICY, 0, &i, sizeof(i));
	if (p->has_template && !p->block)
		put_template(b, p);
	wire_put_mark(b, p->mark, p->mark_mask);
	if (p->if_id != 0)
		nl_put_u32(b, XFRMA_IF_ID, p->if_id);
	return nl_end(b);
}

bool xfrm_put_del_policy(struct nl_batch *b, const struct xfrm_policy *p)
{
	struct xfrm_userpolicy_id id;

	memset(&id, 0, sizeof(id));
	id.sel = selector_in_kernel(p);
	id.dir = p->dir;
	nl_begin(b, XFRM_MSG_DELPOLICY, 0, &id, sizeof(id));
	wire_put_mark(b, p->mark, p->mark_mask);
	if (p->if_id != 0)
		nl_put_u32(b, XFRMA_IF_ID, p->if_id);
	return nl_end(b);
}

bool xfrm_put_dump_policy(struct nl_batch *b)
{
	nl_begin(b, XFRM_MSG_GETPOLICY, NLM_F_DUMP, NULL, 0);
	return nl_end(b);
}

bool xfrm_put_flush_policy(struct nl_batch *b)
{
	nl_begin(b, XFRM_MSG_FLUSHPOLICY, 0, NULL, 0);
	return nl_end(b);
}

static void get_row(const struct xfrm_selector *s, bool out, struct xfrm_row *r)
{
	struct prefix src = { wire_addr_read(&s->saddr, s->family), s->prefixlen_s };
	struct prefix dst = { wire_addr_read(&s->daddr, s->family), s->prefixlen_d };
	bool icmp = s->proto == IPPROTO_ICMP || s->proto == IPPROTO_ICMPV6, source_is_ours = out || icmp;

	*r = (struct xfrm_row){ .ours = out ? src : dst, .theirs = out ? dst : src, .proto = s->proto };
	r->our_port = ntohs(source_is_ours ? s->sport : s->dport);
	r->our_mask = ntohs(source_is_ours ? s->sport_mask : s->dport_mask);
	r->their_port = ntohs(source_is_ours ? s->dport : s->sport);
	r->their_mask = ntohs(source_is_ours ? s->dport_mask : s->sport_mask);
}

bool xfrm_get_policy(const struct nlmsghdr *nlh, struct xfrm_policy *out)
{
	struct xfrm_userpolicy_info i;
	struct xfrm_user_tmpl t;
	struct xfrm_mark mark;
	struct bytes rest, v;
	uint16_t type;

	if (nlh->nlmsg_type != XFRM_MSG_NEWPOLICY || !wire_read(nl_attrs(nlh, 0), &i, sizeof(i)))
		return false;
	memset(out, 0, sizeof(*out));
	out->dir = i.dir;
	out->priority = i.priority;
	out->sign = i.sel.user;
	out->block = i.action == XFRM_POLICY_BLOCK;
	get_row(&i.sel, i.dir == XFRM_POLICY_OUT, &out->row);
	rest = nl_attrs(nlh, sizeof(i));
	while (nl_attr_next(&rest, &type, &v)) {
		if (type == XFRMA_TMPL && wire_read(v, &t, sizeof(t))) {
			bool forth = i.dir == XFRM_POLICY_OUT;

			out->has_template = true;
			out->mode = t.mode == XFRM_MODE_TUNNEL ? DP_TUNNEL : DP_TRANSPORT;
			out->reqid = t.reqid;
			out->spi = ntohl(t.id.spi);
			out->local = wire_addr_read(forth ? &t.saddr : &t.id.daddr, t.family);
			out->remote = wire_addr_read(forth ? &t.id.daddr : &t.saddr, t.family);
		} else if (type == XFRMA_MARK && wire_read(v, &mark, sizeof(mark))) {
			out->mark = mark.v;
			out->mark_mask = mark.m;
		} else if (type == XFRMA_IF_ID) {
			(void)wire_read(v, &out->if_id, sizeof(out->if_id));
		}
	}
	return true;
}

/* ---- thresholds ---- */

bool xfrm_put_thresholds(struct nl_batch *b, const struct xfrm_thresholds *t)
{
	const uint32_t flags = 0;
	struct xfrmu_spdhthresh v4 = { t->ours4, t->theirs4 }, v6 = { t->ours6, t->theirs6 };

	nl_begin(b, XFRM_MSG_NEWSPDINFO, 0, &flags, sizeof(flags));
	nl_put(b, XFRMA_SPD_IPV4_HTHRESH, &v4, sizeof(v4));
	nl_put(b, XFRMA_SPD_IPV6_HTHRESH, &v6, sizeof(v6));
	return nl_end(b);
}

bool xfrm_put_get_thresholds(struct nl_batch *b)
{
	const uint32_t flags = UINT32_MAX;

	nl_begin(b, XFRM_MSG_GETSPDINFO, 0, &flags, sizeof(flags));
	return nl_end(b);
}

bool xfrm_get_thresholds(const struct nlmsghdr *nlh, struct xfrm_thresholds *out)
{
	struct bytes rest = nl_attrs(nlh, sizeof(uint32_t)), v;
	struct xfrmu_spdhthresh t;
	unsigned found = 0;
	uint16_t type;

	if (nlh->nlmsg_type != XFRM_MSG_NEWSPDINFO)
		return false;
	while (nl_attr_next(&rest, &type, &v)) {
		if (type == XFRMA_SPD_IPV4_HTHRESH && wire_read(v, &t, sizeof(t))) {
			out->ours4 = t.lbits;
			out->theirs4 = t.rbits;
			found |= 1;
		} else if (type == XFRMA_SPD_IPV6_HTHRESH && wire_read(v, &t, sizeof(t))) {
			out->ours6 = t.lbits;
			out->theirs6 = t.rbits;
			found |= 2;
		}
	}
	return found == 3;
}
