/* Catching up: everything, or what changed; digests and repair; streams that make no sense. */
#include "tests/ha/pair.h"

static struct pair p;

static void fill(struct pair_node *n, uint64_t from, uint64_t to, const char *text)
{
	for (uint64_t k = from; k < to; k++)
		pair_set(n, k, text);
	(void)ha_end_turn(n->ha);
}

START_TEST(everything_to_an_empty_one)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	fill(&p.n[0], 1, 3000, "x");
	fill(&p.n[0], 10, 20, "");
	pair_link(&p);
	/* Changes go on meanwhile. */
	for (int i = 0; i < 60; i++) {
		(void)pair_carry(&p.n[0], &p.n[1]);
		(void)pair_carry(&p.n[1], &p.n[0]);
		pair_set(&p.n[0], 1 + (uint64_t)i * 37, i % 3 ? "changed" : "");
		pair_set(&p.n[0], 3000 + (uint64_t)i, "new");
		(void)ha_end_turn(p.n[0].ha);
	}
	pair_talk(&p);
	ck_assert_uint_eq(p.n[1].synced, 1);
	ck_assert(pair_same(&p));
	ck_assert(memcmp(p.n[0].ha->objects.digest, p.n[1].ha->objects.digest, sizeof(p.n[0].ha->objects.digest)) == 0);
	pair_clear(&p);
}
END_TEST

/* The first of the two that the stream has next. */
static uint8_t next_frame(struct pair_node *n)
{
	struct ha_frame f = { 0 };
	size_t taken;

	ck_assert_int_eq(ha_frame_next(ha_link_bytes(n->ha), &f, &taken), GW_OK);
	return f.type;
}

START_TEST(what_is_waited_for_does_not_stand_behind_a_resync)
{
	size_t held = 0;

	pair_init(&p);
	pair_promote(&p.n[0]);
	fill(&p.n[0], 1, 3000, "x");
	pair_link(&p);
	for (int i = 0; i < 5; i++) {
		(void)pair_carry(&p.n[0], &p.n[1]);
		(void)pair_carry(&p.n[1], &p.n[0]);
	}
	ck_assert(p.n[0].ha->sync.walking);
	/* Nothing of it is written that was not asked for, and then a piece: what changes is behind one at most. */
	ck_assert_uint_eq(ha_link_bytes(p.n[0].ha).n, 0);
	ck_assert(ha_link_more(p.n[0].ha));
	held = ha_link_bytes(p.n[0].ha).n;
	ck_assert_uint_lt(held, HA_CHUNK_OBJECTS * 64);
	pair_set(&p.n[0], 7, "changed");
	(void)ha_end_turn(p.n[0].ha);
	ha_link_written(p.n[0].ha, held);
	ck_assert_uint_eq(next_frame(&p.n[0]), HA_TURN);
	/* Unacknowledged it goes on for a while only. */
	held = 1;
	while (ha_link_more(p.n[0].ha))
		held++;
	ck_assert_uint_eq(held, p.n[0].ha->sync.pace.window);
	ck_assert_uint_lt(held, HA_CHUNKS_MOST / 4);
	ck_assert(p.n[0].ha->sync.walking);
	/* For longer, when nothing has changed for a while. */
	p.time.now.us += SECONDS(1);
	while (ha_link_more(p.n[0].ha))
		held++;
	ck_assert_uint_eq(held, HA_CHUNKS_CALM);
	ck_assert(p.n[0].ha->sync.walking);
	pair_clear(&p);
}
END_TEST

START_TEST(only_what_changed_to_one_that_was_there)
{
	unsigned before;

	pair_init(&p);
	pair_promote(&p.n[0]);
	fill(&p.n[0], 1, 1000, "x");
	pair_link(&p);
	pair_talk(&p);
	pair_cut(&p);
	fill(&p.n[0], 5, 10, "y");
	fill(&p.n[0], 20, 25, "");
	before = p.n[1].applied;
	pair_link(&p);
	pair_talk(&p);
	ck_assert_uint_eq(p.n[1].applied - before, 10);
	ck_assert_uint_eq(p.n[1].synced, 2);
	ck_assert(pair_same(&p));
	/* Cut in mid-resync: then from the beginning. */
	pair_cut(&p);
	fill(&p.n[0], 1, 1000, "z");
	pair_link(&p);
	(void)pair_carry(&p.n[0], &p.n[1]);
	(void)pair_carry(&p.n[1], &p.n[0]);
	(void)pair_carry(&p.n[0], &p.n[1]);
	pair_cut(&p);
	pair_link(&p);
	pair_talk(&p);
	ck_assert(pair_same(&p));
	pair_clear(&p);
}
END_TEST

START_TEST(what_the_owner_does_not_name_is_gone)
{
	pair_init(&p);
	pair_promote(&p.n[1]); /* an owner of an earlier time, with things of its own */
	fill(&p.n[1], 100, 200, "old");
	fill(&p.n[1], 100, 200, "older than it looks");
	for (int i = 0; i < 50; i++)
		fill(&p.n[1], 100, 101, i % 2 ? "many" : "turns");
	pair_promote(&p.n[0]);
	fill(&p.n[0], 150, 250, "new");
	ha_send(p.n[0].ha, &(struct ike_output){ .datagram = { .data = bytes_str("..................\x20 \x20") } });
	p.n[0].ha->roles.traffic = true;
	pair_link(&p);
	pair_talk(&p);
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_ACTIVE);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_STANDBY);
	ck_assert_uint_eq(p.n[1].synced, 1);
	ck_assert(pair_same(&p));
	pair_clear(&p);
}
END_TEST

START_TEST(roles_change_and_nothing_is_sent_twice)
{
	struct err e;
	unsigned before;

	pair_init(&p);
	pair_promote(&p.n[0]);
	fill(&p.n[0], 1, 500, "x");
	pair_link(&p);
	pair_talk(&p);
	before = p.n[0].applied;
	ck_assert_int_eq(ha_switchover(p.n[0].ha, "test", &e), GW_OK);
	for (int i = 0; i < 10; i++) {
		pair_events(&p.n[0]);
		p.time.now.us += MILLISECONDS(2);
		ha_tick(p.n[0].ha);
		pair_talk(&p);
	}
	ck_assert_int_eq(ha_role_of(p.n[0].ha), HA_STANDBY);
	ck_assert_int_eq(ha_role_of(p.n[1].ha), HA_ACTIVE);
	ck_assert_uint_eq(p.n[0].applied, before);
	fill(&p.n[1], 5, 10, "by the other");
	pair_talk(&p);
	ck_assert_uint_eq(p.n[0].applied, before + 5);
	ck_assert(pair_same(&p));
	ck_assert(ha_protected(p.n[1].ha));
	pair_clear(&p);
}
END_TEST

START_TEST(what_differs_is_found_and_mended)
{
	struct ha_entry *e;

	pair_init(&p);
	pair_promote(&p.n[0]);
	fill(&p.n[0], 1, 400, "x");
	pair_link(&p);
	pair_talk(&p);
	/* One that the standby has in another version, one that it lacks, one that it alone has. */
	e = ha_objects_find(&p.n[1].ha->objects, HA_OBJ_IKE, 11);
	ha_objects_set(&p.n[1].ha->objects, e, 1000, false);
	p.n[1].text[11][0] = 'w';
	ha_objects_drop(&p.n[1].ha->objects, ha_objects_find(&p.n[1].ha->objects, HA_OBJ_IKE, 12));
	p.n[1].text[12][0] = 0;
	e = ha_objects_get(&p.n[1].ha->objects, HA_OBJ_IKE, 999);
	ha_objects_set(&p.n[1].ha->objects, e, 3, false);
	p.n[1].text[999][0] = 'x';
	ck_assert(!pair_same(&p));
	p.time.now.us += SECONDS(6);
	ha_tick(p.n[0].ha);
	pair_talk(&p);
	ck_assert_str_eq(p.n[1].text[12], "x");
	ck_assert_str_eq(p.n[1].text[999], "");
	ck_assert_str_eq(p.n[1].text[11], "x");
	ck_assert(pair_same(&p));
	pair_clear(&p);
}
END_TEST

/* ---- who is refused, and what ---- */

static void hello_with(void (*change)(struct ha_hello *h), const char *why)
{
	struct ha_hello h = { .major = HA_FORMAT_MAJOR,
			      .cluster = bytes_str("test"),
			      .node = bytes_str("x"),
			      .index = 3,
			      .role = HA_STANDBY };
	struct ha_buffer b = { 0 };

	pair_init(&p);
	ha_link_up(p.n[0].ha);
	change(&h);
	ck_assert_int_eq(ha_hello_write(&b, &h), GW_OK);
	ha_link_receive(p.n[0].ha, ha_buffer_bytes(&b));
	pair_events(&p.n[0]);
	ck_assert_uint_eq(p.n[0].closed, why ? 1 : 0);
	if (why)
		ck_assert_msg(strstr(p.n[0].why, why) != NULL, "%s", p.n[0].why);
	ha_buffer_clear(&b);
	pair_clear(&p);
}

static void nothing(struct ha_hello *h)
{
	(void)h;
}

static void other_cluster(struct ha_hello *h)
{
	h->cluster = bytes_str("production");
}

static void other_major(struct ha_hello *h)
{
	h->major++;
}

static void newer_minor(struct ha_hello *h)
{
	h->minor = HA_FORMAT_MINOR + 1;
}

static void same_index(struct ha_hello *h)
{
	h->index = 0;
}

static void no_role(struct ha_hello *h)
{
	h->role = 9;
}

START_TEST(who_is_refused)
{
	hello_with(nothing, NULL);
	hello_with(newer_minor, NULL);
	hello_with(other_cluster, "another cluster");
	hello_with(other_major, "format");
	hello_with(same_index, "node_index");
	hello_with(no_role, "makes no sense");
}
END_TEST

static void send_raw(const uint8_t *bytes, size_t n)
{
	struct pair_node *b = &p.n[1];

	ha_link_receive(b->ha, bytes_of(bytes, n));
	pair_events(b);
}

static void follow_synced(void)
{
	pair_init(&p);
	pair_promote(&p.n[0]);
	fill(&p.n[0], 1, 10, "x");
	pair_link(&p);
	pair_talk(&p);
}

START_TEST(unknown_things_are_skipped_unless_critical)
{
	static const uint8_t unknown[] = { 0x60, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3 };
	static const uint8_t critical[] = { 0xe0, 0, 0, 0, 0, 0, 0, 0 };
	/* A turn with a field of tomorrow. */
	struct ha_frame_writer f;
	struct ha_buffer b = { 0 };
	struct writer w;
	struct ha_object o = { .kind = HA_OBJ_IKE, .key = 5 };

	follow_synced();
	send_raw(unknown, sizeof(unknown));
	ck_assert_uint_eq(p.n[1].closed, 0);
	o.version = p.n[1].ha->in.applied + 1;
	ha_frame_begin(&f, &b, HA_TURN);
	ha_field_u64(&f, HA_TAG_TURN, o.version);
	ha_field_u32(&f, 0x300, 1);
	ha_object_begin(&f, &o, &w);
	wr_bytes(&w, bytes_str("tomorrow"));
	ha_object_end(&f, &w);
	ck_assert_int_eq(ha_frame_end(&f), GW_OK);
	send_raw(ha_buffer_bytes(&b).p, ha_buffer_len(&b));
	ck_assert_uint_eq(p.n[1].closed, 0);
	ck_assert_str_eq(p.n[1].text[5], "tomorrow");
	/* Twice is once. */
	send_raw(ha_buffer_bytes(&b).p, ha_buffer_len(&b));
	ck_assert_uint_eq(p.n[1].closed, 0);
	ha_buffer_clear(&b);
	send_raw(critical, sizeof(critical));
	ck_assert_uint_eq(p.n[1].closed, 1);
	pair_clear(&p);
}
END_TEST

START_TEST(a_turn_is_applied_whole_or_not)
{
	struct ha_frame_writer f;
	struct ha_buffer b = { 0 };
	struct writer w;
	struct ha_object o = { .kind = HA_OBJ_IKE, .key = 5 };
	unsigned before;

	follow_synced();
	before = p.n[1].applied;
	o.version = p.n[1].ha->in.applied + 1;
	ha_frame_begin(&f, &b, HA_TURN);
	ha_field_u64(&f, HA_TAG_TURN, o.version);
	ha_object_begin(&f, &o, &w);
	wr_bytes(&w, bytes_str("good"));
	ha_object_end(&f, &w);
	ha_field(&f, HA_TAG_OBJECT, bytes_str("bad"));
	ck_assert_int_eq(ha_frame_end(&f), GW_OK);
	send_raw(ha_buffer_bytes(&b).p, ha_buffer_len(&b));
	ck_assert_uint_eq(p.n[1].closed, 1);
	ck_assert_uint_eq(p.n[1].applied, before);
	ha_buffer_clear(&b);
	/* A turn that is missing. */
	pair_link(&p);
	pair_talk(&p);
	ha_frame_begin(&f, &b, HA_TURN);
	ha_field_u64(&f, HA_TAG_TURN, p.n[1].ha->in.applied + 2);
	ck_assert_int_eq(ha_frame_end(&f), GW_OK);
	send_raw(ha_buffer_bytes(&b).p, ha_buffer_len(&b));
	ck_assert_uint_eq(p.n[1].closed, 2);
	ha_buffer_clear(&b);
	pair_clear(&p);
}
END_TEST

START_TEST(nonsense_ends_the_link)
{
	static const uint8_t zero[8] = { 0 };
	static const uint8_t huge[8] = { HA_TURN, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t early[8] = { HA_TURN, 0, 0, 0, 0, 0, 0, 0 };
	const uint8_t *all[] = { zero, huge, early };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		pair_init(&p);
		ha_link_up(p.n[1].ha);
		send_raw(all[i], 8);
		ck_assert_uint_eq(p.n[1].closed, 1);
		/* And a new one is served. */
		pair_link(&p);
		pair_promote(&p.n[0]);
		pair_talk(&p);
		ck_assert_uint_eq(p.n[1].synced, 1);
		pair_clear(&p);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("resync");

	tcase_add_test(t, what_is_waited_for_does_not_stand_behind_a_resync);
	tcase_add_test(t, everything_to_an_empty_one);
	tcase_add_test(t, only_what_changed_to_one_that_was_there);
	tcase_add_test(t, what_the_owner_does_not_name_is_gone);
	tcase_add_test(t, roles_change_and_nothing_is_sent_twice);
	tcase_add_test(t, what_differs_is_found_and_mended);
	tcase_add_test(t, who_is_refused);
	tcase_add_test(t, unknown_things_are_skipped_unless_critical);
	tcase_add_test(t, a_turn_is_applied_whole_or_not);
	tcase_add_test(t, nonsense_ends_the_link);
	return check_main("resync", t);
}
