#include "daemon/keyexport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/schema.h"
#include "daemon/gateway.h"

enum { EXPORTS_MAX = 8, LINE_MAX_LEN = 1024 };
#define LONGEST_US SECONDS(3600)

struct keyexport {
	struct gateway *gateway; /* back-pointer */
	struct loop_timer *timer;
	struct {
		uint32_t id; /* of the IKE SA as it is now; 0: free */
		mtime until;
	} all[EXPORTS_MAX];
};

/* ---- lines ---- */

static void put_text(struct writer *w, const char *text)
{
	wr_bytes(w, bytes_str(text));
}

static void put_hex(struct writer *w, struct bytes b)
{
	char two[3];

	for (size_t i = 0; i < b.n; i++) {
		(void)snprintf(two, sizeof(two), "%02x", b.p[i]);
		put_text(w, two);
	}
}

/* Names of Wireshark's tables; of AEADs with their ICV in both. */
static bool encr_name(const struct transform *t, bool esp, char *buf, size_t n)
{
	static const struct {
		uint16_t id;
		const char *name;
		unsigned icv;
	} aeads[] = {
		{ ENCR_AES_GCM_8, "AES-GCM", 8 },
		{ ENCR_AES_GCM_12, "AES-GCM", 12 },
		{ ENCR_AES_GCM_16, "AES-GCM", 16 },
		{ ENCR_AES_CCM_16, "AES-CCM", 16 },
	};

	for (size_t i = 0; i < ARRAY_LEN(aeads); i++) {
		if (aeads[i].id != t->id)
			continue;
		if (esp && t->id == ENCR_AES_CCM_16)
			return false;
		if (esp)
			(void)snprintf(buf, n, "%s with %u octet ICV [RFC4106]", aeads[i].name, aeads[i].icv);
		else
			(void)snprintf(buf, n, "%s-%u with %u octet ICV [RFC5282]", aeads[i].name, t->key_bits,
				       aeads[i].icv);
		return true;
	}
	if (t->id != ENCR_AES_CBC && t->id != ENCR_AES_CTR)
		return false;
	if (esp)
		(void)snprintf(buf, n, "%s", t->id == ENCR_AES_CBC ? "AES-CBC [RFC3602]" : "AES-CTR [RFC3686]");
	else if (t->id == ENCR_AES_CBC)
		(void)snprintf(buf, n, "AES-CBC-%u [RFC3602]", t->key_bits);
	else
		(void)snprintf(buf, n, "AES-CTR-%u [RFC5930]", t->key_bits);
	return true;
}

static const char *integ_name(uint16_t id, bool esp)
{
	switch (id) {
	case INTEG_NONE:
		return esp ? "NULL" : "NONE [RFC4306]";
	case INTEG_HMAC_SHA1_96:
		return esp ? "HMAC-SHA-1-96 [RFC2404]" : "HMAC_SHA1_96 [RFC2404]";
	case INTEG_HMAC_SHA2_256_128:
		return esp ? "HMAC-SHA-256-128 [RFC4868]" : "HMAC_SHA2_256_128 [RFC4868]";
	case INTEG_HMAC_SHA2_384_192:
		return esp ? "HMAC-SHA-384-192 [RFC4868]" : "HMAC_SHA2_384_192 [RFC4868]";
	case INTEG_HMAC_SHA2_512_256:
		return esp ? "HMAC-SHA-512-256 [RFC4868]" : "HMAC_SHA2_512_256 [RFC4868]";
	default:
		return NULL;
	}
}

bool keyexport_ike_line(const struct ike_sa *sa, struct writer *w)
{
	const char *integ = integ_name(sa->integ.id, false);
	char encr[64], spis[40];

	if (sa->keys.block.n == 0 || !integ || !encr_name(&sa->encr, false, encr, sizeof(encr)))
		return false;
	(void)snprintf(spis, sizeof(spis), "%016llx,%016llx,", (unsigned long long)sa->spi_i,
		       (unsigned long long)sa->spi_r);
	put_text(w, spis);
	put_hex(w, ike_keys_ei(&sa->keys));
	put_text(w, ",");
	put_hex(w, ike_keys_er(&sa->keys));
	put_text(w, ",\"");
	put_text(w, encr);
	put_text(w, "\",");
	put_hex(w, ike_keys_ai(&sa->keys));
	put_text(w, ",");
	put_hex(w, ike_keys_ar(&sa->keys));
	put_text(w, ",\"");
	put_text(w, integ);
	put_text(w, "\"\n");
	return !w->bad;
}

static void esp_line(struct writer *w, const struct child_sa *c, bool in, const char *encr, const char *integ)
{
	const struct ike_sa *sa = c->sa;
	const struct addr *from = in ? &sa->remote.addr : &sa->local.addr,
			  *to = in ? &sa->local.addr : &sa->remote.addr;
	struct bytes keys = secret_bytes(in ? &c->in_keys : &c->out_keys);
	size_t n = suite_encr_key_len(&c->suite);
	char head[160], a[ADDR_TEXT], b[ADDR_TEXT];

	(void)snprintf(head, sizeof(head), "\"IPv%u\",\"%s\",\"%s\",\"0x%08x\",\"", from->family, addr_text(from, a),
		       addr_text(to, b), in ? c->spi_in : c->spi_out);
	put_text(w, head);
	put_text(w, encr);
	put_text(w, "\",\"0x");
	put_hex(w, bytes_of(keys.p, n));
	put_text(w, "\",\"");
	put_text(w, integ);
	put_text(w, "\",\"0x");
	put_hex(w, bytes_of(keys.p + n, keys.n - n));
	put_text(w, "\"\n");
}

bool keyexport_esp_lines(const struct child_sa *c, struct writer *w)
{
	const char *integ = integ_name(c->integ.id, true);
	size_t n = suite_encr_key_len(&c->suite);
	char encr[64];

	if (c->in_keys.n < n || c->out_keys.n < n || !integ || !encr_name(&c->encr, true, encr, sizeof(encr)))
		return false;
	esp_line(w, c, true, encr, integ);
	esp_line(w, c, false, encr, integ);
	return !w->bad;
}

/* ---- files ---- */

static char *path_of(const struct keyexport *k, const char *name, char *buf, size_t n)
{
	(void)snprintf(buf, n, "%s/%s", k->gateway->settings->state_dir, name);
	return buf;
}

static void remove_files(const struct keyexport *k)
{
	char path[1100];

	(void)unlink(path_of(k, KEYEXPORT_IKE, path, sizeof(path)));
	(void)unlink(path_of(k, KEYEXPORT_ESP, path, sizeof(path)));
}

static enum gw_err append(const struct keyexport *k, const char *name, struct bytes lines, struct err *e)
{
	char path[1100];
	int fd = open(path_of(k, name, path, sizeof(path)), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	bool ok = fd >= 0 && write(fd, lines.p, lines.n) == (ssize_t)lines.n;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	return ok ? GW_OK : err_set(e, GW_EIO, "%s: %s", path, strerror(saved));
}

static enum gw_err export_ike(const struct keyexport *k, const struct ike_sa *sa, struct err *e)
{
	char line[LINE_MAX_LEN], prefix[SA_PREFIX];
	struct writer w = wr_of(line, sizeof(line));
	enum gw_err r;

	if (!keyexport_ike_line(sa, &w)) {
		secret_wipe(line, sizeof(line));
		return err_set(e, GW_EUNSUPPORTED, "Wireshark does not know the algorithms of this IKE SA");
	}
	r = append(k, KEYEXPORT_IKE, wr_done(&w), e);
	secret_wipe(line, sizeof(line));
	if (r == GW_OK)
		log_line(&k->gateway->log, LOG_LVL_NOTICE, ike_sa_prefix(sa, prefix), "keys of the IKE SA exported");
	return r;
}

static enum gw_err export_child(const struct keyexport *k, const struct child_sa *c, struct err *e)
{
	char lines[2 * LINE_MAX_LEN], prefix[SA_PREFIX];
	struct writer w = wr_of(lines, sizeof(lines));
	enum gw_err r;

	if (!keyexport_esp_lines(c, &w)) {
		secret_wipe(lines, sizeof(lines));
		return err_set(e, GW_EUNSUPPORTED, "Wireshark does not know the algorithms of this CHILD SA");
	}
	r = append(k, KEYEXPORT_ESP, wr_done(&w), e);
	secret_wipe(lines, sizeof(lines));
	if (r == GW_OK)
		log_line(&k->gateway->log, LOG_LVL_NOTICE, ike_sa_prefix(c->sa, prefix),
			 "keys of CHILD SA #%u exported", c->id);
	return r;
}

/* ---- exports ---- */

static size_t count(const struct keyexport *k)
{
	size_t n = 0;

	for (size_t i = 0; i < EXPORTS_MAX; i++)
		n += k->all[i].id != 0;
	return n;
}

static void schedule(struct keyexport *k)
{
	mtime due = MTIME_NEVER;

	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->all[i].id != 0)
			due = mtime_min(due, k->all[i].until);
	loop_timer_at(k->timer, due);
	if (count(k) == 0)
		remove_files(k);
}

static void end(struct keyexport *k, size_t i)
{
	log_notice(&k->gateway->log, "the export of keys of #%u ends", k->all[i].id);
	k->all[i].id = 0;
	schedule(k);
}

static void time_is_over(void *arg)
{
	struct keyexport *k = arg;
	mtime now = clock_now(k->gateway->env.clock);

	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->all[i].id != 0 && mtime_reached(k->all[i].until, now))
			end(k, i);
	schedule(k);
}

static size_t find(const struct keyexport *k, uint32_t id)
{
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->all[i].id == id)
			return i;
	return EXPORTS_MAX;
}

void keyexport_heed(struct keyexport *k, const struct ike_event *ev)
{
	uint32_t id = ev->kind == IKE_EV_SA_REKEYED ? ev->old_id : ev->sa ? ev->sa->id : 0;
	size_t at = id != 0 && count(k) > 0 ? find(k, id) : EXPORTS_MAX;
	struct err e = { 0 };
	enum gw_err r = GW_OK;

	if (at == EXPORTS_MAX)
		return;
	if (ev->kind == IKE_EV_SA_REKEYED) {
		k->all[at].id = ev->sa->id;
		r = export_ike(k, ev->sa, &e);
	} else if (ev->kind == IKE_EV_CHILD_UP) {
		r = export_child(k, ev->child, &e);
	} else if (ev->kind == IKE_EV_SA_DOWN) {
		end(k, at);
	}
	if (r != GW_OK)
		log_error(&k->gateway->log, "export of keys of #%u: %s", k->all[at].id, e.text);
}

void keyexport_review(struct keyexport *k)
{
	if (k->gateway->settings->export_keys)
		return;
	for (size_t i = 0; i < EXPORTS_MAX; i++)
		if (k->all[i].id != 0)
			end(k, i);
	schedule(k);
}

static const struct ike_sa *sa_by_id(const struct ike *ike, uint32_t id)
{
	uint32_t after = id - 1;
	const struct ike_sa *sa = ike_next(ike, &after);

	return sa && sa->id == id && sa->state == IKE_UP ? sa : NULL;
}

static enum gw_err begin(struct keyexport *k, const struct ike_sa *sa, int64_t us, struct err *e)
{
	struct gateway *g = k->gateway;
	size_t at = find(k, sa->id);
	char prefix[SA_PREFIX];

	if (at == EXPORTS_MAX)
		at = find(k, 0);
	if (at == EXPORTS_MAX)
		return err_set(e, GW_ELIMIT, "keys of %d SAs are exported already", EXPORTS_MAX);
	if (count(k) == 0)
		remove_files(k);
	TRY(export_ike(k, sa, e));
	for (const struct child_sa *c = sa->children; c; c = c->next)
		if (c->state == CHILD_UP)
			TRY(export_child(k, c, e));
	k->all[at].id = sa->id;
	k->all[at].until = mtime_add(clock_now(g->env.clock), us);
	log_line(&g->log, LOG_LVL_NOTICE, ike_sa_prefix(sa, prefix),
		 "its keys are exported to %s for %lld s by order of root", g->settings->state_dir,
		 (long long)(us / 1000000));
	return GW_OK;
}

enum gw_err keyexport_command(void *ctx, struct control_call *call)
{
	struct gateway *g = ctx;
	const struct control_request *r = call->request;
	const struct ike_sa *sa;
	enum gw_err code;
	int64_t us;

	if (!g->settings->export_keys)
		return err_set(&call->err, GW_EPERM, "keys are exported only with `control: {export_keys: true}`");
	if (r->id == 0 || !duration_parse(r->time, &us) || us <= 0 || us > LONGEST_US)
		return err_set(&call->err, GW_EINVAL,
			       "export-keys wants the `id` of an IKE SA and `for`, a duration up to 1h");
	sa = sa_by_id(g->ike, r->id);
	if (!sa)
		return err_set(&call->err, GW_ENOTFOUND, "no IKE SA #%u", r->id);
	code = begin(g->keyexport, sa, us, &call->err);
	schedule(g->keyexport); /* files of an export that has failed go */
	if (code == GW_OK)
		control_item(call, json_pack("{s:s, s:s, s:s}", "folder", g->settings->state_dir, "ike", KEYEXPORT_IKE,
					     "esp", KEYEXPORT_ESP));
	return code;
}

struct keyexport *keyexport_create(struct gateway *g)
{
	struct keyexport *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->gateway = g;
	k->timer = loop_timer_create(g->loop, time_is_over, k);
	remove_files(k);
	if (!k->timer) {
		free(k);
		return NULL;
	}
	return k;
}

void keyexport_destroy(struct keyexport *k)
{
	if (!k)
		return;
	remove_files(k);
	loop_timer_destroy(k->timer);
	free(k);
}
