#include "config/fingerprint.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/reader.h"

static const struct part {
	const char *name, *section; /* NULL: all others */
	unsigned shift, bits;
} parts[] = {
	{ "connections", "connections", 48, 16 },
	{ "pools", "pools", 36, 12 },
	{ "ike", "ike", 24, 12 },
	{ "ha", "ha", 12, 12 },
	{ "users and certificates", NULL, 0, 12 },
};

/* A node's own. */
static const char *const own[] = { "node", "node_index", "state_dir", "listen",	   "control",
				   "log",  "userspace",	 "shutdown",  "dataplane", "mss_clamp" };

/* FNV-1a: what is compared comes from our own peer, over an authenticated link. */
static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t mix_text(uint64_t h, const char *s)
{
	return s ? mix(h, s, strlen(s) + 1) : mix(h, "\1", 1);
}

static const char *text_at(const void *at)
{
	char *s;

	memcpy(&s, at, sizeof(s));
	return s;
}

static uint64_t mix_selector(uint64_t h, const struct selector *s)
{
	char text[SELECTOR_TEXT];

	return mix_text(h, selector_text(s, text));
}

static uint64_t mix_id(uint64_t h, const struct id_cfg *id)
{
	const uint8_t head[] = { (uint8_t)id->kind, id->pattern };

	return mix(mix(h, head, sizeof(head)), id->data.p, id->data.n);
}

static uint64_t mix_proposal(uint64_t h, const struct proposal_cfg *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const uint32_t t[] = { (uint32_t)p->t[i].type, p->t[i].id, p->t[i].key_bits };

		h = mix(h, t, sizeof(t));
	}
	return h;
}

/* By what a value means: neither pointers nor padding. */
static uint64_t mix_value(uint64_t h, const struct schema_key *k, const void *at)
{
	const struct secret *secret = at;
	const void *named;

	switch (k->type) {
	case SCHEMA_NAME:
	case SCHEMA_DOMAIN:
		return mix_text(h, text_at(at));
	case SCHEMA_PATH:
	case SCHEMA_LOCATION:
		return h;
	case SCHEMA_POOL:
	case SCHEMA_CERTIFICATE:
	case SCHEMA_AUTHORITY:
	case SCHEMA_GROUP: /* the name is their first member */
		named = text_at(at);
		return mix_text(h, named ? text_at(named) : NULL);
	case SCHEMA_SELECTOR:
		return mix_selector(h, at);
	case SCHEMA_LOCAL_ID:
	case SCHEMA_REMOTE_ID:
		return mix_id(h, at);
	case SCHEMA_IKE_PROPOSAL:
	case SCHEMA_ESP_PROPOSAL:
		return mix_proposal(h, at);
	case SCHEMA_SECRET:
		return mix(mix(h, &secret->n, sizeof(secret->n)), secret->p, secret->n);
	default:
		return mix(h, at, value_type_of(k->type)->size);
	}
}

static uint64_t mix_level(uint64_t h, const struct schema *s, const void *base);

/* Whatever their order is: a sum. */
static uint64_t mix_named(uint64_t h, const struct schema_key *k, const void *base)
{
	const char *items = schema_items_at(k, base);
	size_t n = schema_count_at(k, base);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		const char *item = items + i * k->sub->size;

		sum += mix_level(mix_text(h, text_at(item)), k->sub, item);
	}
	return mix(mix(h, &n, sizeof(n)), &sum, sizeof(sum));
}

static uint64_t mix_key(uint64_t h, const struct schema_key *k, const void *base)
{
	const char *at = (const char *)base + k->offset;
	size_t n, size;

	h = mix_text(h, k->name);
	if (k->type == SCHEMA_MAP)
		return mix_level(h, k->sub, at);
	if (k->type == SCHEMA_NAMED)
		return mix_named(h, k, base);
	if (!(k->flags & SCHEMA_LIST) || k->type == SCHEMA_FLAGS)
		return mix_value(h, k, at);
	n = schema_count_at(k, base);
	size = value_type_of(k->type)->size;
	h = mix(h, &n, sizeof(n));
	for (size_t i = 0; i < n; i++)
		h = mix_value(h, k, schema_items_at(k, base) + i * size);
	return h;
}

static uint64_t mix_level(uint64_t h, const struct schema *s, const void *base)
{
	for (size_t i = 0; i < s->count; i++)
		/* The pair's own secret is changed on one node after the other. */
		if (s != &schema_ha || strcmp(s->keys[i].name, "secret") != 0)
			h = mix_key(h, &s->keys[i], base);
	return h;
}

static bool is_own(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (strcmp(own[i], name) == 0)
			return true;
	return false;
}

static const struct part *part_of(const char *section)
{
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!parts[i].section || strcmp(parts[i].section, section) == 0)
			return &parts[i];
	return &parts[ARRAY_LEN(parts) - 1];
}

uint64_t settings_fingerprint(const struct settings *s)
{
	uint64_t hashes[ARRAY_LEN(parts)], out = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		hashes[i] = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < schema_root.count; i++) {
		const struct schema_key *k = &schema_root.keys[i];
		size_t at = (size_t)(part_of(k->name) - parts);

		if (!is_own(k->name))
			hashes[at] = mix_key(hashes[at], k, s);
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		uint64_t folded = hashes[i] ^ hashes[i] >> 32;

		folded ^= folded >> 16;
		out |= (folded & ((UINT64_C(1) << parts[i].bits) - 1)) << parts[i].shift;
	}
	return out ? out : 1; /* 0 stands for "not said" */
}

const char *fingerprint_differs(uint64_t a, uint64_t b, char buf[FINGERPRINT_TEXT])
{
	size_t n = 0;

	buf[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		uint64_t mask = ((UINT64_C(1) << parts[i].bits) - 1) << parts[i].shift;

		if ((a & mask) != (b & mask))
			n += (size_t)snprintf(buf + n, FINGERPRINT_TEXT - n, "%s%s", n ? ", " : "", parts[i].name);
	}
	return buf;
}
