/*
 * A resync beside live turns, in virtual time: how long a turn waits for the pieces before it, and how fast the resync
 * goes all the same. The follower takes a while for each frame; what it has not got to waits in its socket.
 */
#include "tests/ha/pair.h"
#include "tests/sim/suite.h"

enum { FRAMES = 256, OBJECTS = 4000, PIECES = (OBJECTS + HA_CHUNK_OBJECTS - 1) / HA_CHUNK_OBJECTS };

static struct pair p;

struct frame {
	uint8_t *octets; /* owned */
	size_t n;
	uint8_t type;
	mtime sent, there;
};
struct road {
	int64_t link_us, piece_us; /* one way; what the follower takes for a frame */
	struct frame queue[FRAMES];
	size_t first, n;
	mtime free; /* when the follower has done what it is at */
	struct frame answers[FRAMES];
	size_t answer_first, answer_n;
	int64_t late_us; /* the last change was so long before */
	/* what was measured */
	size_t pieces, turns, worst_before;
	int64_t worst_us;
};

/* All that the owner would write now, frame by frame. */
static void write_all(struct road *r)
{
	struct ha_frame f;
	size_t taken;

	while (ha_link_more(p.n[0].ha))
		;
	while (ha_frame_next(ha_link_bytes(p.n[0].ha), &f, &taken) == GW_OK) {
		struct frame *to = &r->queue[(r->first + r->n) % FRAMES];
		size_t before = 0;

		ck_assert_uint_lt(r->n, FRAMES);
		for (size_t i = 0; i < r->n; i++)
			before += r->queue[(r->first + i) % FRAMES].type == HA_CHUNK;
		*to = (struct frame){ .octets = malloc(taken), .n = taken, .type = f.type, .sent = p.time.now };
		memcpy(to->octets, ha_link_bytes(p.n[0].ha).p, taken);
		to->there = mtime_add(p.time.now, r->link_us);
		ha_link_written(p.n[0].ha, taken);
		r->n++;
		r->pieces += f.type == HA_CHUNK;
		if (f.type == HA_TURN && before > r->worst_before)
			r->worst_before = before;
	}
}

static void follower(struct road *r)
{
	while (r->n > 0 && mtime_reached(r->queue[r->first].there, p.time.now) && mtime_reached(r->free, p.time.now)) {
		struct frame *f = &r->queue[r->first];
		struct frame *to = &r->answers[(r->answer_first + r->answer_n) % FRAMES];
		struct bytes b;

		r->free = mtime_add(p.time.now, r->piece_us);
		ha_link_receive(p.n[1].ha, bytes_of(f->octets, f->n));
		pair_events(&p.n[1]);
		b = ha_link_bytes(p.n[1].ha);
		*to = (struct frame){ .octets = malloc(b.n ? b.n : 1), .n = b.n, .type = f->type, .sent = f->sent };
		if (b.n > 0)
			memcpy(to->octets, b.p, b.n);
		ha_link_written(p.n[1].ha, b.n);
		to->there = mtime_add(r->free, r->link_us);
		r->answer_n++;
		free(f->octets);
		r->first = (r->first + 1) % FRAMES;
		r->n--;
	}
}

static void owner(struct road *r)
{
	while (r->answer_n > 0 && mtime_reached(r->answers[r->answer_first].there, p.time.now)) {
		struct frame *f = &r->answers[r->answer_first];

		ha_link_receive(p.n[0].ha, bytes_of(f->octets, f->n));
		pair_events(&p.n[0]);
		if (f->type == HA_TURN) {
			r->turns++;
			if (mtime_since(f->sent, p.time.now) > r->worst_us)
				r->worst_us = mtime_since(f->sent, p.time.now);
		}
		free(f->octets);
		r->answer_first = (r->answer_first + 1) % FRAMES;
		r->answer_n--;
	}
}

/* Until all is held; a change each `every_us`, 0: none. Returns the time that it took. */
static int64_t resync(struct road *r, int64_t every_us)
{
	mtime begin, next;

	pair_init(&p);
	pair_promote(&p.n[0]);
	for (uint64_t k = 1; k <= OBJECTS; k++)
		pair_set(&p.n[0], k, "x");
	(void)ha_end_turn(p.n[0].ha);
	p.time.now.us += r->late_us;
	pair_link(&p);
	begin = p.time.now;
	next = mtime_add(begin, every_us);
	/* HELLO, and FOLLOW. */
	(void)pair_carry(&p.n[1], &p.n[0]);
	for (int i = 0; p.n[1].synced == 0; i++) {
		ck_assert_int_lt(i, 10000000);
		if (every_us > 0 && mtime_reached(next, p.time.now)) {
			pair_set(&p.n[0], 1 + (uint64_t)i % OBJECTS, "changed");
			(void)ha_end_turn(p.n[0].ha);
			next = mtime_add(p.time.now, every_us);
		}
		write_all(r);
		p.time.now.us += 10;
		follower(r);
		owner(r);
	}
	for (int i = 0; r->n + r->answer_n > 0; i++) {
		p.time.now.us += 10;
		follower(r);
		owner(r);
	}
	ck_assert(pair_same(&p));
	ck_assert_uint_ge(r->pieces, PIECES);
	begin.us = mtime_since(begin, p.time.now);
	pair_clear(&p);
	return begin.us;
}

/* A short link: a turn waits for hardly longer than without a resync, and the follower is never idle. */
START_TEST(a_turn_waits_for_a_few_pieces)
{
	const int64_t pieces_us[] = { 100, 300, 500, 2000 };

	for (size_t i = 0; i < ARRAY_LEN(pieces_us); i++) {
		struct road r = { .link_us = 150, .piece_us = pieces_us[i] };
		int64_t took = resync(&r, MILLISECONDS(5)), work;

		work = r.piece_us * (int64_t)(r.pieces + r.turns);
		ck_assert_uint_ge(r.turns, 5);
		ck_assert_uint_le(r.worst_before, r.piece_us < 300 ? 10 : 4);
		ck_assert_int_le(r.worst_us, 2 * r.link_us + 6 * r.piece_us + 500);
		ck_assert_int_le(took, work + work / 4 + MILLISECONDS(5));
	}
}
END_TEST

/* A long one has many on their way, and they wait nowhere. */
START_TEST(a_long_link_is_filled)
{
	struct road r = { .link_us = MILLISECONDS(10), .piece_us = 300 };
	int64_t took = resync(&r, MILLISECONDS(5));

	ck_assert_int_le(took, 2 * r.piece_us * (int64_t)(r.pieces + r.turns) + MILLISECONDS(150));
	/* There and back, its own time, and half as much again. */
	ck_assert_int_le(r.worst_us, 3 * r.link_us + 5 * r.piece_us + MILLISECONDS(5));
}
END_TEST

/* The first one after a while does not wait for long either. */
START_TEST(the_first_turn_of_a_calm_time)
{
	struct road r = { .link_us = 150, .piece_us = 300, .late_us = SECONDS(2) };

	(void)resync(&r, MILLISECONDS(20));
	ck_assert_uint_ge(r.turns, 2);
	ck_assert_uint_le(r.worst_before, HA_CHUNKS_CALM);
}
END_TEST

/* Nobody waits: as fast as can be, from the beginning. */
START_TEST(without_turns_it_does_not_hold_back)
{
	const int64_t links_us[] = { 150, MILLISECONDS(5) };

	for (size_t i = 0; i < ARRAY_LEN(links_us); i++) {
		struct road r = { .link_us = links_us[i], .piece_us = 300, .late_us = SECONDS(2) };
		int64_t took = resync(&r, 0);

		ck_assert_int_le(took, r.piece_us * (int64_t)(r.pieces + r.pieces / 8) + 6 * r.link_us);
	}
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ a_turn_waits_for_a_few_pieces, 0 },
		{ a_long_link_is_filled, 0 },
		{ the_first_turn_of_a_calm_time, 0 },
		{ without_turns_it_does_not_hold_back, 0 },
	};

	return suite_run("pace", all, ARRAY_LEN(all));
}
