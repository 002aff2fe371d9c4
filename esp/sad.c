#include "esp/sad.h"

#include <stddef.h>
#include <stdlib.h>

#include "core/env.h"
#include "core/slab.h"

/* The keyed cipher of an SA, in the order of use. */
struct sad_busy {
	struct cipher *cipher; /* owned */
	struct sad_sa *sa;     /* back-pointer */
	struct sad_busy *prev, *next;
};

struct sad {
	struct table_seed seed;
	struct slab slab; /* of the entries */
	struct chain table;
	struct chain newest;	     /* outbound SAs: the newest of each reqid */
	struct sad_sa *first, *last; /* by age */
	struct sad_sa *cursor;	     /* where the last dump stopped: the first SA not told */
	struct sad_sa *used_first, *used_last;
	struct sad_busy *busy_first, *busy_last;
	size_t busy;
	uint64_t next_age;
};

struct sad *sad_create(struct rng *rng)
{
	struct sad *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (table_seed_init(&s->seed, rng) != GW_OK) {
		free(s);
		return NULL;
	}
	s->next_age = 1;
	return s;
}

void sad_destroy(struct sad *s)
{
	if (!s)
		return;
	while (s->first) {
		struct sad_sa *sa = s->first;

		sad_unlink(s, sa);
		sad_sa_destroy(s, sa);
	}
	chain_clear(&s->table);
	chain_clear(&s->newest);
	slab_clear(&s->slab);
	free(s);
}

static void key_fill(struct sad_key *k, enum dp_dir dir, uint32_t spi, const struct addr *remote)
{
	memset(k, 0, sizeof(*k));
	k->spi = spi;
	k->dir = (uint8_t)dir;
	if (dir == DP_OUT) {
		k->remote.family = remote->family;
		memcpy(k->remote.b, remote->b, addr_len(remote));
	}
}

static const char *refuse(const struct dp_sa *in)
{
	if (in->spi == 0)
		return "SPI 0";
	if (in->reqid == 0)
		return "reqid 0";
	if (!in->suite.encr)
		return "no cipher";
	if (!in->suite.encr->aead && !in->suite.integ)
		return "no integrity";
	if (in->encr_key.n != suite_encr_key_len(&in->suite) || in->integ_key.n != suite_integ_key_len(&in->suite))
		return "wrong key length";
	if (in->local.addr.family != in->remote.addr.family || addr_len(&in->remote.addr) == 0)
		return "outer addresses of no or different families";
	if (in->dir == DP_IN && in->replay_window > REPLAY_WINDOW_MAX)
		return "replay window too large";
	return NULL;
}

/* Where the bitmap is, and behind that the keys. The outbound side has less in the union. */
static size_t own_size(bool bare, enum dp_dir dir)
{
	if (!bare)
		return sizeof(struct sad_sa);
	return dir == DP_IN ? offsetof(struct sad_sa, extra)
			    : offsetof(struct sad_sa, ahead) + sizeof(((struct sad_sa *)NULL)->ahead);
}

static size_t bits_size(const struct sad_sa *sa)
{
	return sa->key.dir == DP_IN ? sa->replay.words * sizeof(uint64_t) : 0;
}

static struct bytes keys_of(const struct sad_sa *sa)
{
	return bytes_of((const uint8_t *)sa + own_size(sa->bare, (enum dp_dir)sa->key.dir) + bits_size(sa),
			suite_encr_key_len(&sa->suite) + suite_integ_key_len(&sa->suite));
}

static enum gw_err create(struct sad *s, const struct dp_sa *in, bool bare, struct sad_sa **out, const char **why)
{
	size_t words = in->dir == DP_IN ? replay_words(in->replay_window) : 0;
	size_t own = own_size(bare, in->dir);
	struct sad_sa *sa;
	uint8_t *behind;

	*why = refuse(in);
	if (*why)
		return GW_EINVAL;
	sa = slab_get(&s->slab, own + words * sizeof(uint64_t) + in->encr_key.n + in->integ_key.n);
	if (!sa)
		return GW_ENOMEM;
	behind = (uint8_t *)sa + own;
	key_fill(&sa->key, in->dir, in->spi, &in->remote.addr);
	sa->local = in->local;
	sa->remote = in->remote;
	sa->suite = in->suite;
	sa->reqid = in->reqid;
	sa->mode = (uint8_t)in->mode;
	sa->udp_encap = in->udp_encap;
	sa->esn = in->esn;
	sa->copy_dscp = in->copy_dscp;
	sa->copy_df = in->copy_df;
	sa->bare = bare;
	sa->count = in->base;
	sa->fence = DP_NO_FENCE;
	if (!bare)
		sa->extra = in->extra;
	if (in->dir == DP_IN) {
		replay_init(&sa->replay, in->replay_window, in->start, (uint64_t *)(void *)behind);
	} else {
		sa->near_at = DP_NO_FENCE;
		sad_set_position(sa, in->start);
		sad_set_fence(sa, in->fence);
	}
	behind += words * sizeof(uint64_t);
	if (in->encr_key.n > 0)
		memcpy(behind, in->encr_key.p, in->encr_key.n);
	if (in->integ_key.n > 0)
		memcpy(behind + in->encr_key.n, in->integ_key.p, in->integ_key.n);
	*out = sa;
	return GW_OK;
}

enum gw_err sad_sa_create(struct sad *s, const struct dp_sa *in, struct sad_sa **out, const char **why)
{
	return create(s, in, false, out, why);
}

enum gw_err sad_sa_create_bare(struct sad *s, const struct dp_sa *in, struct sad_sa **out, const char **why)
{
	return create(s, in, true, out, why);
}

void sad_sa_destroy(struct sad *s, struct sad_sa *sa)
{
	struct bytes keys;

	if (!sa)
		return;
	keys = keys_of(sa);
	secret_wipe((uint8_t *)(uintptr_t)keys.p, keys.n);
	slab_put(&s->slab, sa, own_size(sa->bare, (enum dp_dir)sa->key.dir) + bits_size(sa) + keys.n);
}

/* ---- the newest outbound SA of a reqid ---- */

static struct sad_sa *of_reqid(struct link *l)
{
	return (struct sad_sa *)(void *)((char *)l - offsetof(struct sad_sa, by_reqid));
}

static unsigned reqid_hash(const struct sad *s, uint32_t reqid)
{
	return table_hash(&s->seed, &reqid, sizeof(reqid));
}

static struct sad_sa *newest_find(const struct sad *s, uint32_t reqid)
{
	for (struct link *l = chain_first(&s->newest, reqid_hash(s, reqid)); l; l = chain_next(l))
		if (of_reqid(l)->reqid == reqid)
			return of_reqid(l);
	return NULL;
}

/* Newest first; almost always the head. */
static bool group_add(struct sad *s, struct sad_sa *sa)
{
	struct sad_sa *head = newest_find(s, sa->reqid), **at;

	if (!head)
		return chain_add(&s->newest, &sa->by_reqid, reqid_hash(s, sa->reqid));
	if (head->age < sa->age) {
		chain_replace(&s->newest, &head->by_reqid, &sa->by_reqid);
		sa->older = head;
		return true;
	}
	for (at = &head->older; *at && (*at)->age > sa->age; at = &(*at)->older)
		;
	sa->older = *at;
	*at = sa;
	return true;
}

static void group_drop(struct sad *s, struct sad_sa *sa)
{
	struct sad_sa *head = newest_find(s, sa->reqid), **at;

	if (head == sa) {
		if (sa->older)
			chain_replace(&s->newest, &sa->by_reqid, &sa->older->by_reqid);
		else
			chain_remove(&s->newest, &sa->by_reqid);
	} else if (head) {
		for (at = &head->older; *at; at = &(*at)->older)
			if (*at == sa) {
				*at = sa->older;
				break;
			}
	}
	sa->older = NULL;
}

/* ---- entries ---- */

static struct sad_sa *of_key(struct link *l)
{
	return (struct sad_sa *)(void *)((char *)l - offsetof(struct sad_sa, by_key));
}

static unsigned key_hash(const struct sad *s, const struct sad_key *key)
{
	return table_hash(&s->seed, key, sizeof(*key));
}

static struct sad_sa *table_find(const struct sad *s, const struct sad_key *key, unsigned hash)
{
	for (struct link *l = chain_first(&s->table, hash); l; l = chain_next(l))
		if (memcmp(&of_key(l)->key, key, sizeof(*key)) == 0)
			return of_key(l);
	return NULL;
}

enum gw_err sad_link(struct sad *s, struct sad_sa *sa)
{
	unsigned hash = key_hash(s, &sa->key);
	struct sad_sa *after;

	if (table_find(s, &sa->key, hash))
		return GW_EEXIST;
	if (sa->age == 0)
		sa->age = s->next_age++;
	if (sa->key.dir == DP_OUT && !group_add(s, sa))
		return GW_ENOMEM;
	if (!chain_add(&s->table, &sa->by_key, hash)) {
		if (sa->key.dir == DP_OUT)
			group_drop(s, sa);
		return GW_ENOMEM;
	}
	for (after = s->last; after && after->age > sa->age; after = after->prev)
		;
	sa->prev = after;
	sa->next = after ? after->next : s->first;
	*(sa->next ? &sa->next->prev : &s->last) = sa;
	*(after ? &after->next : &s->first) = sa;
	return GW_OK;
}

static void busy_unlink(struct sad *s, struct sad_busy *b)
{
	*(b->prev ? &b->prev->next : &s->busy_first) = b->next;
	*(b->next ? &b->next->prev : &s->busy_last) = b->prev;
	b->prev = b->next = NULL;
	s->busy--;
}

static void busy_append(struct sad *s, struct sad_busy *b)
{
	b->prev = s->busy_last;
	*(s->busy_last ? &s->busy_last->next : &s->busy_first) = b;
	s->busy_last = b;
	s->busy++;
}

static void cipher_drop(struct sad *s, struct sad_busy *b)
{
	if (!b)
		return;
	busy_unlink(s, b);
	cipher_destroy(b->cipher);
	b->sa->busy = NULL;
	free(b);
}

static void used_unlink(struct sad *s, struct sad_sa *sa)
{
	if (!sa->used)
		return;
	*(sa->used_prev ? &sa->used_prev->used_next : &s->used_first) = sa->used_next;
	*(sa->used_next ? &sa->used_next->used_prev : &s->used_last) = sa->used_prev;
	sa->used_prev = sa->used_next = NULL;
	sa->used = false;
}

void sad_touch(struct sad *s, struct sad_sa *sa)
{
	if (sa->used)
		return;
	sa->used = true;
	sa->used_prev = s->used_last;
	*(s->used_last ? &s->used_last->used_next : &s->used_first) = sa;
	s->used_last = sa;
}

void sad_unlink(struct sad *s, struct sad_sa *sa)
{
	cipher_drop(s, sa->busy);
	used_unlink(s, sa);
	chain_remove(&s->table, &sa->by_key);
	if (sa->key.dir == DP_OUT)
		group_drop(s, sa);
	if (s->cursor == sa)
		s->cursor = sa->next;
	*(sa->prev ? &sa->prev->next : &s->first) = sa->next;
	*(sa->next ? &sa->next->prev : &s->last) = sa->prev;
	sa->prev = sa->next = NULL;
}

struct sad_sa *sad_find(const struct sad *s, const struct dp_sa_id *id)
{
	struct sad_key key;

	key_fill(&key, id->dir, id->spi, &id->remote);
	return table_find(s, &key, key_hash(s, &key));
}

struct sad_sa *sad_find_in(const struct sad *s, uint32_t spi)
{
	struct sad_key key;

	key_fill(&key, DP_IN, spi, NULL);
	return table_find(s, &key, key_hash(s, &key));
}

struct chain_hint sad_expect(const struct sad *s, const struct dp_sa_id *id)
{
	struct sad_key key;

	key_fill(&key, id->dir, id->spi, &id->remote);
	return chain_expect(&s->table, key_hash(s, &key));
}

struct chain_hint sad_expect_newest(const struct sad *s, uint32_t reqid)
{
	return chain_expect(&s->newest, reqid_hash(s, reqid));
}

void sad_expect_entry(const struct chain_hint *h)
{
	chain_expect_entry(h, sizeof(struct sad_sa));
}

struct sad_sa *sad_newest_out(const struct sad *s, uint32_t reqid)
{
	return newest_find(s, reqid);
}

size_t sad_count(const struct sad *s)
{
	return s->table.count;
}

struct dp_sa_id sad_id(const struct sad_sa *sa)
{
	return (struct dp_sa_id){ (enum dp_dir)sa->key.dir, sa->key.spi, sa->remote.addr };
}

enum gw_err sad_move(struct sad *s, struct sad_sa *sa, const struct endpoint *local, const struct endpoint *remote,
		     bool udp_encap)
{
	struct sad_key key;
	struct sad_sa *other;
	unsigned hash;

	if (local->addr.family != remote->addr.family || addr_len(&remote->addr) == 0)
		return GW_EINVAL;
	key_fill(&key, (enum dp_dir)sa->key.dir, sa->key.spi, &remote->addr);
	hash = key_hash(s, &key);
	other = table_find(s, &key, hash);
	if (other && other != sa)
		return GW_EEXIST;
	if (!other) {
		chain_remove(&s->table, &sa->by_key);
		sa->key = key;
		if (!chain_add(&s->table, &sa->by_key, hash)) /* never: it has buckets */
			return GW_ENOMEM;
	}
	sa->local = *local;
	sa->remote = *remote;
	sa->udp_encap = udp_encap;
	if (sa->key.dir == DP_IN)
		sa->moved_to = (struct endpoint){ 0 };
	else
		sa->path_mtu = 0;
	return GW_OK;
}

void sad_set_fence(struct sad_sa *sa, uint64_t fence)
{
	uint64_t from = sa->position;

	/* A raised fence grants what is between the two (DESIGN.md §4: ask when half a block is left). */
	if (sa->fence != DP_NO_FENCE && sa->fence > from && fence > sa->fence)
		from = sa->fence;
	sa->fence = fence;
	sa->near_at = fence;
	if (fence != DP_NO_FENCE)
		sa->near_at = fence > from ? fence - (fence - from) / 2 : fence;
	sa->near_told = sa->at_told = false;
}

void sad_set_position(struct sad_sa *sa, uint64_t position)
{
	uint64_t ahead = position - sa->position + sa->ahead;

	sa->position = position;
	sa->ahead = ahead < UINT32_MAX ? (uint32_t)ahead : UINT32_MAX;
}

enum gw_err sad_rewind_check(const struct sad_sa *sa, enum dp_gate gate, uint64_t position, const char **why)
{
	if (sa->key.dir != DP_OUT)
		*why = "not an outbound SA";
	else if (gate == DP_OPEN)
		*why = "the plane is open";
	else if (position > sa->position)
		*why = "not back";
	else if (sa->position - position > sa->ahead)
		*why = "over numbers that were used";
	return *why ? GW_EINVAL : GW_OK;
}

/* The last number that may be used at all. RFC 4303 3.3.3: without ESN the counter may not cycle; DESIGN.md §4: 2^35.
 */
static uint64_t last_number(const struct sad_sa *sa)
{
	uint64_t last = sa->esn ? (NONCE_COUNTER_MAX >> 1) : UINT32_MAX;

	return sa->fence < last ? sa->fence : last;
}

bool sad_next(struct sad_sa *sa, uint64_t *seq, unsigned *tell)
{
	*tell = 0;
	if (sa->position >= last_number(sa)) {
		if (!sa->at_told)
			*tell = SAD_TELL_AT;
		sa->at_told = true;
		return false;
	}
	*seq = ++sa->position;
	sa->ahead = 0;
	if (sa->position > sa->near_at && !sa->near_told) {
		*tell = SAD_TELL_NEAR;
		sa->near_told = true;
	}
	return true;
}

struct bytes sad_encr_key(const struct sad_sa *sa)
{
	return bytes_of(keys_of(sa).p, suite_encr_key_len(&sa->suite));
}

struct bytes sad_integ_key(const struct sad_sa *sa)
{
	return bytes_of(keys_of(sa).p + suite_encr_key_len(&sa->suite), suite_integ_key_len(&sa->suite));
}

static enum gw_err busy_create(struct crypto *c, struct sad_sa *sa, struct sad_busy **out)
{
	struct sad_busy *b = calloc(1, sizeof(*b));
	enum gw_err code;

	if (!b)
		return GW_ENOMEM;
	code = cipher_create(c, &sa->suite, sa->key.dir == DP_IN ? CIPHER_OPEN : CIPHER_SEAL, sad_encr_key(sa),
			     sad_integ_key(sa), &b->cipher);
	if (code != GW_OK) {
		free(b);
		return code;
	}
	b->sa = sa;
	*out = b;
	return GW_OK;
}

enum gw_err sad_cipher(struct sad *s, struct crypto *c, struct sad_sa *sa, size_t busy_max, struct cipher **out)
{
	if (sa->busy) {
		if (s->busy_last != sa->busy) {
			busy_unlink(s, sa->busy);
			busy_append(s, sa->busy);
		}
	} else {
		while (s->busy_first && s->busy >= busy_max)
			cipher_drop(s, s->busy_first);
		TRY(busy_create(c, sa, &sa->busy));
		busy_append(s, sa->busy);
	}
	*out = sa->busy->cipher;
	return GW_OK;
}

void sad_sweep(struct sad *s, mtime before)
{
	/* The list is in order of use: the first busy enough one ends it. */
	while (s->busy_first && s->busy_first->sa->last_use.us < before.us)
		cipher_drop(s, s->busy_first);
}

size_t sad_busy(const struct sad *s)
{
	return s->busy;
}

void sad_state(const struct sad_sa *sa, struct dp_sa_state *out)
{
	*out = (struct dp_sa_state){
		.id = sad_id(sa),
		.reqid = sa->reqid,
		.position = sa->key.dir == DP_IN ? sa->replay.top : sa->position,
		.fence = sa->fence,
		.count = sa->count,
		.last_use = sa->last_use,
	};
	if (sa->key.dir != DP_IN)
		return;
	out->replays = sa->replays;
	out->bad_icv = sa->bad_icv;
	out->bad_policy = sa->bad_policy;
}

size_t sad_dump(struct sad *s, uint64_t *cookie, struct dp_sa_state *out, size_t max)
{
	struct sad_sa *sa = s->first;
	size_t n = 0;

	/* The cookie is an age. The cursor spares the walk when nobody else dumped in between. */
	if (*cookie != 0) {
		if (s->cursor && s->cursor->age >= *cookie && (!s->cursor->prev || s->cursor->prev->age < *cookie))
			sa = s->cursor;
		while (sa && sa->age < *cookie)
			sa = sa->next;
	}
	for (; sa && n < max; sa = sa->next)
		sad_state(sa, &out[n++]);
	s->cursor = sa;
	*cookie = sa ? sa->age : 0;
	return n;
}

size_t sad_take_used(struct sad *s, struct dp_sa_state *out, size_t max)
{
	size_t n = 0;

	while (s->used_first && n < max) {
		sad_state(s->used_first, &out[n++]);
		used_unlink(s, s->used_first);
	}
	return n;
}

bool sad_any_used(const struct sad *s)
{
	return s->used_first != NULL;
}
