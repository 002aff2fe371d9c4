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

static void conn_clear(struct conn_cfg *c)
{
	for (size_t i = 0; i < c->remote_id_count; i++)
		ident_clear(&c->remote_ids[i]);
	for (size_t i = 0; i < c->child_count; i++)
		child_clear(&c->children[i]);
	ident_clear(&c->local_id);
	secret_clear(&c->psk);
	free(c->name);
	free(c->local_addrs);
	free(c->remote_addrs);
	free(c->remote_ids);
	free(c->proposals);
	free(c->pools);
	free(c->children);
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
	for (size_t i = 0; i < s->pool_count; i++) {
		free(s->pools[i].name);
		free(s->pools[i].dns);
	}
	for (size_t i = 0; i < s->user_count; i++) {
		free(s->users[i].name);
		secret_clear(&s->users[i].password);
		secret_clear(&s->users[i].nt_hash);
	}
	ha_clear(&s->ha);
	free(s->users);
	free(s->user_slots);
	free(s->conns);
	free(s->pools);
	free(s->listen);
	free(s->file);
	free(s->node);
	free(s->state_dir);
	free(s->tun_name);
	free(s->control_socket);
	free(s->control_group);
	free(s);
}
