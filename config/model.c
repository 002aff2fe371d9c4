#include "config/model.h"

#include "config/reader.h"

#include <stdlib.h>

const char *conn_auth_text(uint32_t auth, char *buf, size_t n)
{
	static const char *const names[] = { "psk", "cert", "eap-mschapv2", "eap-tls" };
	struct writer w = wr_of(buf, n - 1);

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!(auth & UINT32_C(1) << i))
			continue;
		if (w.n > 0)
			wr_bytes(&w, bytes_str(", "));
		wr_bytes(&w, bytes_str(names[i]));
	}
	buf[w.n] = '\0';
	return buf;
}

static void child_clear(struct child_cfg *c)
{
	free(c->name);
	free(c->local);
	free(c->remote);
	free(c->proposals);
}

const char *conn_kernel_key(const struct conn_cfg *c)
{
	if (c->interface)
		return "interface";
	if (c->mark.mask != 0)
		return "mark";
	if (c->output_mark.mask != 0)
		return "output_mark";
	if (c->offload != CONN_OFFLOAD_NONE)
		return "offload";
	for (size_t i = 0; i < c->child_count; i++)
		if (c->children[i].mode == CHILD_MODE_TRANSPORT)
			return "mode";
	return NULL;
}

static bool has_pool(const struct pool_cfg *const *list, size_t n, const struct pool_cfg *p)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == p)
			return true;
	return false;
}

bool conn_uses_pool(const struct settings *s, const struct conn_cfg *c, const struct pool_cfg *p)
{
	if (has_pool(c->pools, c->pool_count, p))
		return true;
	for (size_t i = 0; i < c->group_count; i++)
		if (c->groups[i] && has_pool(c->groups[i]->pools, c->groups[i]->pool_count, p))
			return true;
	for (size_t i = 0; c->group_count == 0 && i < s->group_count; i++)
		if (has_pool(s->groups[i].pools, s->groups[i].pool_count, p))
			return true;
	return false;
}

bool conn_kernel_equal(const struct conn_cfg *a, const struct conn_cfg *b)
{
	return a->if_id == b->if_id && a->mark.value == b->mark.value && a->mark.mask == b->mark.mask &&
	       a->output_mark.value == b->output_mark.value && a->output_mark.mask == b->output_mark.mask &&
	       a->offload == b->offload;
}

uint32_t interface_id(const char *name)
{
	uint32_t h = UINT32_C(2166136261); /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT32_C(16777619);
	return UINT32_C(0x67000000) | ((h >> 24 ^ h) & 0xffffff);
}

static void psk_clear(struct psk_cfg *p)
{
	for (size_t i = 0; i < p->id_count; i++)
		ident_clear(&p->ids[i]);
	free(p->ids);
	secret_clear(&p->psk);
	free(p->name);
}

static void conn_clear(struct conn_cfg *c)
{
	free(c->interface);
	for (size_t i = 0; i < c->remote_id_count; i++)
		ident_clear(&c->remote_ids[i]);
	for (size_t i = 0; i < c->eap_id_count; i++)
		ident_clear(&c->eap_ids[i]);
	for (size_t i = 0; i < c->child_count; i++)
		child_clear(&c->children[i]);
	ident_clear(&c->local_id);
	secret_clear(&c->psk);
	for (size_t i = 0; i < c->psk_count; i++)
		psk_clear(&c->psks[i]);
	free(c->psks);
	free(c->name);
	free(c->local_addrs);
	free(c->remote_addrs);
	free(c->remote_ids);
	free(c->eap_ids);
	free(c->proposals);
	free(c->pools);
	free(c->certificates);
	free(c->authorities);
	free(c->groups);
	free(c->children);
}

static void pool_clear(struct pool_cfg *p)
{
	for (size_t i = 0; i < p->domain_count; i++)
		free(p->domains[i]);
	free(p->name);
	free(p->dns);
	free(p->domains);
	free(p->nbns);
	free(p->subnets);
	free(p->reserved);
}

static void group_clear(struct group_cfg *g)
{
	for (size_t i = 0; i < g->member_count; i++)
		ident_clear(&g->members[i]);
	free(g->name);
	free(g->members);
	free(g->pools);
	free(g->local);
}

static void user_clear(struct user_cfg *u)
{
	free(u->name);
	secret_clear(&u->password);
	secret_clear(&u->nt_hash);
	free(u->addresses);
}

static void ha_clear(struct ha_cfg *ha)
{
	for (size_t i = 0; i < ha->node_count; i++) {
		free(ha->nodes[i].name);
		free(ha->nodes[i].heartbeat);
	}
	for (size_t i = 0; i < ha->address_count; i++) {
		free(ha->addresses[i].name);
		free(ha->addresses[i].interface);
	}
	for (size_t i = 0; i < ha->interface_count; i++)
		free(ha->interfaces[i]);
	secret_clear(&ha->secret);
	free(ha->cluster);
	free(ha->nodes);
	free(ha->addresses);
	free(ha->interfaces);
	free(ha->witness);
	free(ha->hook);
	free(ha->fence);
}

struct settings *settings_ref(struct settings *s)
{
	s->refs++;
	return s;
}

void settings_unref(struct settings *s)
{
	if (!s || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->conn_count; i++)
		conn_clear(&s->conns[i]);
	for (size_t i = 0; i < s->pool_count; i++)
		pool_clear(&s->pools[i]);
	for (size_t i = 0; i < s->group_count; i++)
		group_clear(&s->groups[i]);
	for (size_t i = 0; i < s->user_count; i++)
		user_clear(&s->users[i]);
	for (size_t i = 0; i < s->certificate_count; i++)
		certificate_clear(&s->certificates[i]);
	for (size_t i = 0; i < s->authority_count; i++)
		authority_clear(&s->authorities[i]);
	keyring_destroy(s->keyring);
	ha_clear(&s->ha);
	free(s->certificates);
	free(s->authorities);
	free(s->groups);
	free(s->users);
	free(s->user_slots);
	free(s->conns);
	free(s->conns_by_name);
	free(s->pools);
	free(s->listen);
	free(s->file);
	free(s->node);
	free(s->state_dir);
	free(s->tun_name);
	free(s->control_socket);
	free(s->control_group);
	free(s->session_file);
	free(s);
}

static int conn_order(const void *a, const void *b)
{
	return strcmp((*(const struct conn_cfg *const *)a)->name, (*(const struct conn_cfg *const *)b)->name);
}

enum gw_err settings_index(struct settings *s)
{
	s->conns_by_name = calloc(s->conn_count + 1, sizeof(*s->conns_by_name));
	if (!s->conns_by_name)
		return GW_ENOMEM;
	for (size_t i = 0; i < s->conn_count; i++)
		s->conns_by_name[i] = &s->conns[i];
	qsort(s->conns_by_name, s->conn_count, sizeof(*s->conns_by_name), conn_order);
	return GW_OK;
}

const struct conn_cfg *settings_conn(const struct settings *s, const char *name)
{
	size_t lo = 0, hi = s->conn_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int order = strcmp(name, s->conns_by_name[mid]->name);

		if (order == 0)
			return s->conns_by_name[mid];
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct pool_cfg *settings_pool(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->pool_count; i++)
		if (strcmp(s->pools[i].name, name) == 0)
			return &s->pools[i];
	return NULL;
}

const struct group_cfg *settings_group(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->group_count; i++)
		if (strcmp(s->groups[i].name, name) == 0)
			return &s->groups[i];
	return NULL;
}
