/* What a compat profile changes of a connection (docs/compat.md lists it): never a key that the file sets. */
#include "config/reader.h"

#include <stdlib.h>

static const struct profile {
	uint32_t flag;
	const char *ike, *esp; /* one proposal each, appended to the default ones; NULL: none */
	bool rekey_by_peer;
	int64_t dpd_us;	     /* 0: as without */
	const char *warning; /* NULL: nothing is weak about it */
} profiles[] = {
	{ .flag = COMPAT_WINDOWS_LEGACY,
	  .ike = "aes256-aes128-sha384-sha256-sha1-modp2048-modp1024",
	  .esp = "aes256-aes128-sha256-sha1-none-noesn",
	  .warning = "windows-legacy allows modp1024 and SHA-1: recorded traffic can be decrypted later; rather set "
		     "Set-VpnConnectionIPsecConfiguration at the clients" },
	/* Phones sleep: they are late with answers, and rekey when they wake. */
	{ .flag = COMPAT_APPLE, .rekey_by_peer = true, .dpd_us = SECONDS(120) },
	/* Its first guess is modp4096: taken, it spares a round trip. */
	{ .flag = COMPAT_ANDROID,
	  .ike = "aes256gcm16-aes128gcm16-prfsha512-prfsha384-prfsha256-modp4096-x25519",
	  .dpd_us = SECONDS(120) },
};

static void append(struct load *l, const struct yaml_node *map, const char *text, enum proposal_use use,
		   struct proposal_cfg **list, size_t *n)
{
	struct proposal_cfg *bigger;
	struct err e = { 0 };

	if (!text || yaml_tree_get(map, "proposals"))
		return;
	bigger = realloc(*list, (*n + 1) * sizeof(*bigger));
	if (!bigger) {
		report_error(l->report, (struct mark){ 0, 0 }, "out of memory");
		return;
	}
	*list = bigger;
	bigger[*n] = (struct proposal_cfg){ 0 };
	if (proposal_parse(text, use, &bigger[*n], &e) == GW_OK)
		(*n)++;
	else
		report_error(l->report, (struct mark){ 0, 0 }, "%s", e.text);
}

static void apply(struct load *l, const struct yaml_node *map, struct conn_cfg *c, const struct profile *p)
{
	const struct yaml_node *child = yaml_tree_item(yaml_tree_get(map, "children"), 0);

	append(l, map, p->ike, PROPOSAL_IKE, &c->proposals, &c->proposal_count);
	for (size_t i = 0; i < c->child_count && child; i++, child = child->next)
		append(l, child, p->esp, PROPOSAL_ESP, &c->children[i].proposals, &c->children[i].proposal_count);
	if (p->rekey_by_peer && !yaml_tree_get(map, "rekey_by"))
		c->rekey_by = REKEY_PEER;
	if (p->dpd_us > 0 && !yaml_tree_get(map, "dpd"))
		c->dpd_us = p->dpd_us;
	if (p->warning)
		report_warning(l->report, reader_mark(map, "compat"), "%s", p->warning);
}

void compat_apply(struct load *l, const struct yaml_node *map, struct conn_cfg *c)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if (c->compat & profiles[i].flag)
			apply(l, map, c, &profiles[i]);
	if (c->compat & COMPAT_WINDOWS_LEGACY)
		c->compat |= COMPAT_WEAK_DH; /* in proposals of the file, too */
}
