/* Records that contradict themselves: refused whole, and nothing is lost by them. */
#include "tests/sim/engine_check.h"

enum { RECORD_MAX = 65536 };
static uint8_t record[RECORD_MAX];
static size_t record_n;

static void take_record(uint64_t key)
{
	struct writer w = wr_of(record, sizeof(record));

	ck_assert(ike_encode(engine(), key, &w) == GW_OK);
	record_n = w.n;
}

/* Where the value of the nth field `tag` begins, between `from` and `to`; its length in *n. */
static size_t find_field(size_t from, size_t to, uint16_t tag, size_t *n)
{
	for (size_t at = from; at + 6 <= to; at += 6 + *n) {
		struct reader r = rd_of(bytes_of(record + at, 6));
		uint16_t is = rd_u16(&r);

		*n = rd_u32(&r);
		if (is == tag)
			return at + 6;
	}
	ck_abort_msg("no field %u", tag);
	return 0;
}

static void rename_field(uint16_t tag, uint16_t inner)
{
	size_t n, at = find_field(0, record_n, tag, &n);

	if (inner)
		at = find_field(at, at + n, inner, &n);
	put_u16(record + at - 6, 0x7001); /* unknown and not critical: skipped */
}

static void copy_field(uint16_t tag)
{
	size_t n, at = find_field(0, record_n, tag, &n);

	memcpy(record + record_n, record + at - 6, n + 6);
	record_n += n + 6;
}

static void add_exchange(uint8_t kind, uint32_t waiting)
{
	struct writer w = wr_of(record + record_n, sizeof(record) - record_n);

	wr_u16(&w, ST_OUR_X);
	wr_u32(&w, 6 + 19 + 6 + 32);
	wr_u16(&w, ST_X_CORE);
	wr_u32(&w, 19);
	wr_u8(&w, kind);
	wr_u16(&w, 0);
	wr_u64(&w, 0x123456);
	wr_u32(&w, 0);
	wr_u32(&w, waiting);
	wr_u16(&w, ST_X_NI);
	wr_u32(&w, 32);
	wr_zero(&w, 32);
	record_n += w.n;
}

static size_t field(uint16_t tag)
{
	size_t n;

	return find_field(0, record_n, tag, &n);
}

static size_t in_child(uint16_t tag)
{
	size_t n, at = find_field(0, record_n, ST_CHILD, &n);

	return find_field(at, at + n, tag, &n);
}

static void is_refused(uint64_t key)
{
	uint8_t *before = malloc(RECORD_MAX), *after = malloc(RECORD_MAX);
	struct writer b = wr_of(before, RECORD_MAX), a = wr_of(after, RECORD_MAX);
	struct err e = { 0 };

	ck_assert(before && after && ike_encode(engine(), key, &b) == GW_OK);
	sim_want(&s, ike_decode(engine(), bytes_of(record, record_n), false, &e) == GW_EMALFORMED);
	sim_want(&s, ike_encode(engine(), key, &a) == GW_OK && bytes_equal(wr_done(&a), wr_done(&b)));
	free(before);
	free(after);
}

START_TEST(records_that_contradict_themselves)
{
	struct sim_client *c = connected(60, NULL), *other = sim_client_add(&s, false);
	uint64_t key = ike_sa_local_spi(first_sa());
	const struct ike_sa *others;

	sim_connect(&s, other);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	others = sim_sa(&s, other);
	ck_assert_ptr_nonnull(others);
	take_record(key);
	switch (_i) {
	case 0: /* one inbound SPI, twice */
		copy_field(ST_CHILD);
		break;
	case 1: /* being installed, and nobody waits for it */
		record[in_child(ST_CHILD_CORE) + 12] = CHILD_INSTALLING;
		break;
	case 2: /* being deleted, without a request */
		record[in_child(ST_CHILD_CORE) + 12] = CHILD_DELETING;
		break;
	case 3:
		record[field(ST_CORE) + 16] = IKE_DELETING;
		break;
	case 4: /* waits for a CHILD SA of another IKE SA */
		add_exchange(X_REKEY_CHILD, others->children->spi_in);
		break;
	case 5: /* waits for one that is up */
		add_exchange(X_REKEY_CHILD, first_sa()->children->spi_in);
		break;
	case 6: /* an exchange without a request, or of another kind */
		add_exchange(X_REKEY_IKE, 0);
		break;
	case 7:
		add_exchange(X_AUTH, 0);
		break;
	case 8: /* two addresses of one family */
		copy_field(ST_LEASE);
		break;
	case 9: /* over, but with CHILD SAs */
		record[field(ST_CORE) + 16] = IKE_LINGERING;
		break;
	default: /* a lease without an address */
		record[field(ST_LEASE)] = 0;
	}
	is_refused(key);
	(void)sim_agree(&s);
	(void)c;
	done();
}
END_TEST

/* A CHILD SA may move to another IKE SA with its record, but not with one that is refused. */
START_TEST(a_refused_record_takes_nothing_away)
{
	struct sim_client *c = connected(64, NULL), *other = sim_client_add(&s, false);
	struct ike_change change;
	const struct ike_sa *sa;
	uint32_t spi;

	sim_connect(&s, other);
	sim_want(&s, sim_settle(&s, SECONDS(5)));
	sa = sim_sa(&s, other);
	ck_assert(sa && sa->children);
	spi = sa->children->spi_in;
	take_record(ike_sa_local_spi(first_sa()));
	put_u32(record + in_child(ST_CHILD_CORE), spi);
	put_u64(record + field(ST_CORE) + 8, 0x1234567890abcdef);
	record[field(ST_CORE) + 16] = IKE_LINGERING; /* over, but with CHILD SAs */
	change = (struct ike_change){ .key = 0x1234567890abcdef, .record = bytes_of(record, record_n) };
	ike_apply(engine(), &change, 1);
	sim_want(&s, change.result != GW_OK);
	sim_want(&s, sim_sa(&s, other)->children && sim_sa(&s, other)->children->spi_in == spi);
	(void)sim_agree(&s);
	(void)c;
	done();
}
END_TEST

START_TEST(half_open_records_without_keys)
{
	struct sim_client *c = world(61, NULL);
	uint64_t key;

	sim_connect(&s, c);
	sim_run(&s, MILLISECONDS(1));
	ck_assert(first_sa() && first_sa()->state == IKE_HALF_OPEN);
	key = ike_sa_local_spi(first_sa());
	take_record(key);
	if (_i == 0)
		rename_field(ST_HALF, ST_HALF_DH);
	else if (_i == 1)
		rename_field(ST_HALF, ST_HALF_PEER_KE);
	else
		add_exchange(X_REKEY_IKE, 0);
	is_refused(key);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(c->ini));
	(void)sim_leaves_nothing(&s);
	done();
}
END_TEST

/* The data plane has it already: nothing is added twice, and numbers live on. */
START_TEST(installed_over_itself)
{
	struct sim_client *c = connected(63, NULL);
	const struct dataplane *plane = s.gate.active.plane;
	uint64_t key = ike_sa_local_spi(first_sa()), applied;
	size_t sas = fake_plane_sa_count(plane);
	struct err e = { 0 };

	take_record(key);
	applied = fake_plane_recorded(plane);
	sim_want(&s, ike_decode(engine(), bytes_of(record, record_n), true, &e) == GW_OK);
	sim_flush(&s);
	sim_run(&s, SECONDS(5));
	ck_assert_uint_eq(fake_plane_recorded(plane), applied);
	ck_assert_uint_eq(fake_plane_sa_count(plane), sas);
	ck_assert(ini_rekey_child(c->ini, 0));
	sim_flush(&s);
	sim_want(&s, sim_settle(&s, SECONDS(10)));
	done();
}
END_TEST

/* Times from the end of all days, or its beginning, break no arithmetic. */
START_TEST(records_with_wild_times)
{
	static const uint64_t wild[] = { INT64_MAX - 1, (uint64_t)INT64_MIN, (uint64_t)INT64_MIN + 1, INT64_MAX };
	struct sim_client *c = connected(62, NULL);
	uint64_t key = ike_sa_local_spi(first_sa());
	struct err e = { 0 };

	take_record(key);
	for (size_t i = 0; i < 7; i++)
		put_u64(record + field(ST_TIMES) + 8 * i, wild[_i]);
	for (size_t i = 0; i < 3; i++)
		put_u64(record + in_child(ST_CHILD_TIMES) + 8 * i, wild[_i]);
	put_u64(record + field(ST_WINDOW) + 10, wild[_i]);
	sim_want(&s, ike_decode(engine(), bytes_of(record, record_n), false, &e) == GW_OK);
	take_record(key);
	sim_flush(&s);
	sim_run(&s, SECONDS(60));
	(void)c;
	done();
}
END_TEST

int main(void)
{
	const struct suite_test all[] = {
		{ installed_over_itself, 0 },
		{ records_that_contradict_themselves, 11 },
		{ a_refused_record_takes_nothing_away, 0 },
		{ half_open_records_without_keys, 3 },
		{ records_with_wild_times, 4 },
	};

	return suite_run("engine_records", all, ARRAY_LEN(all));
}
