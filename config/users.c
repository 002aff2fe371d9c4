#include "config/users.h"

#include "config/reader.h"
#include "core/crypto/mschapv2.h"

#include <stdlib.h>

/* ---- the table: open addressing, indices + 1 into settings.users; 0: free. At most half full. ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* FNV-1a without case. Strangers look names up but never add any, so it needs no secret. */
static size_t slot_of(struct bytes name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ lower(name.p[i])) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

bool user_names_equal(struct bytes a, struct bytes b, bool ignore_case)
{
	if (!ignore_case || a.n != b.n)
		return bytes_equal(a, b);
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

const struct user_cfg *settings_user(const struct settings *s, struct bytes name, bool ignore_case)
{
	size_t mask = s->user_slot_count - 1, at = slot_of(name);
	const struct user_cfg *alike = NULL;

	if (s->user_slot_count == 0)
		return NULL;
	for (; s->user_slots[at & mask] > 0; at++) {
		const struct user_cfg *u = &s->users[s->user_slots[at & mask] - 1];

		if (user_names_equal(bytes_str(u->name), name, false))
			return u;
		if (ignore_case && !alike && user_names_equal(bytes_str(u->name), name, true))
			alike = u;
	}
	return alike;
}

static enum gw_err index_users(struct settings *s)
{
	size_t count = 16;

	while (count < 2 * s->user_count)
		count *= 2;
	s->user_slots = calloc(count, sizeof(*s->user_slots));
	if (!s->user_slots)
		return GW_ENOMEM;
	s->user_slot_count = count;
	for (size_t i = 0; i < s->user_count; i++) {
		size_t at = slot_of(bytes_str(s->users[i].name));

		while (s->user_slots[at & (count - 1)] > 0)
			at++;
		s->user_slots[at & (count - 1)] = (uint32_t)i + 1;
	}
	return GW_OK;
}

/* ---- passwords ---- */

/* Bare hex digits, which secret_read leaves as they are; 0x before them it has decoded. */
static bool hash_decode(struct secret *hash)
{
	WIPED struct secret hex = { 0 };
	struct err e;

	if (hash->n == MSCHAPV2_HASH)
		return true;
	if (hash->n != (size_t)2 * MSCHAPV2_HASH || secret_alloc(&hex, 2 + hash->n) != GW_OK)
		return false;
	memcpy(hex.p, "0x", 2);
	memcpy(hex.p + 2, hash->p, hash->n);
	secret_clear(hash);
	return secret_decode(secret_bytes(&hex), hash, &e) == GW_OK;
}

static void hash_password(struct load *l, const struct yaml_node *map, struct user_cfg *u)
{
	enum gw_err code = secret_alloc(&u->nt_hash, MSCHAPV2_HASH);

	if (code == GW_OK)
		code = nt_hash(secret_bytes(&u->password), u->nt_hash.p);
	secret_clear(&u->password);
	if (code == GW_OK)
		return;
	secret_clear(&u->nt_hash);
	report_error(l->report, reader_mark(map, "password"), "%s",
		     code == GW_ELIMIT	     ? "`password` is longer than 256 characters"
		     : code == GW_EMALFORMED ? "`password` is not UTF-8 text"
					     : "out of memory");
}

static void check_user(struct load *l, const struct yaml_node *map, struct user_cfg *u)
{
	bool wrong = yaml_tree_get(map, "nt_hash") && u->nt_hash.n == 0; /* said already */

	if (u->nt_hash.n > 0 && u->password.n > 0)
		report_error(l->report, reader_mark(map, "nt_hash"), "either `password` or `nt_hash`, not both");
	else if (u->password.n > 0 && !wrong)
		hash_password(l, map, u);
	else if (u->nt_hash.n > 0 && !hash_decode(&u->nt_hash))
		report_error(l->report, reader_mark(map, "nt_hash"), "`nt_hash` is 32 hex digits");
}

void check_users(struct load *l, const struct yaml_node *root)
{
	struct settings *s = l->settings;
	const struct yaml_node *map = yaml_tree_item(yaml_tree_get(root, "users"), 0);

	for (size_t i = 0; i < s->user_count && map; i++, map = map->next) {
		if (!s->users[i].name)
			return; /* out of memory, and said */
		check_user(l, map, &s->users[i]);
	}
	if (s->user_count > 0 && index_users(s) != GW_OK)
		report_error(l->report, (struct mark){ 0, 0 }, "out of memory");
}
