/*
 * ha-model: searches the model of model.h. Without options the suite that `make test` runs: the rules hold within the
 * bounds, and each rule, broken alone, is found out (a model that cannot fail proves nothing).
 */
#include "ha/model/model.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATES_MAX = 100 * 1000 * 1000 };

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct search_result run(const char *name, const struct bounds *b, FILE *trace)
{
	double begin = seconds();
	struct search_result r = search_run(b, STATES_MAX, trace);

	printf("%-34s %9zu states %10zu moves, depth %3zu, %5.1f s: %s%s\n", name, r.states, r.moves, r.depth,
	       seconds() - begin, r.fault ? fault_text(r.fault) : "holds", r.complete ? "" : " (NOT COMPLETE)");
	(void)fflush(stdout);
	return r;
}

/* What holds with every rule kept: bounds that fit into `make test`, and those of --deep. */
static const struct {
	const char *name;
	struct bounds b;
	bool deep;
} sound[] = {
	{ "no fault", { .keys = 2, .block = 2, .numbers = 12, .queue = 3, .orders = 1, .settle = true }, false },
	{ "one fault, blocks of 2",
	  { .keys = 1, .block = 2, .numbers = 8, .queue = 2, .faults = 1, .settle = true },
	  false },
	{ "one fault, rekeys",
	  { .keys = 2, .block = 1, .numbers = 3, .queue = 2, .faults = 1, .settle = true },
	  false },
	{ "one fault, one order",
	  { .keys = 1, .block = 1, .numbers = 3, .queue = 2, .faults = 1, .orders = 1, .settle = true },
	  false },
	{ "two faults", { .keys = 1, .block = 1, .numbers = 3, .queue = 2, .faults = 2, .settle = true }, false },
	{ "two faults, blocks of 2",
	  { .keys = 1, .block = 2, .numbers = 12, .queue = 3, .faults = 2, .settle = true },
	  true },
	{ "one fault, one order, rekeys",
	  { .keys = 2, .block = 2, .numbers = 8, .queue = 2, .faults = 1, .orders = 1, .settle = true },
	  true },
	{ "two faults, one order",
	  { .keys = 1, .block = 1, .numbers = 5, .queue = 2, .faults = 2, .orders = 1, .settle = true },
	  true },
	{ "three faults", { .keys = 1, .block = 1, .numbers = 5, .queue = 2, .faults = 3, .settle = true }, true },
};

/* How each rule, broken, is found out. */
static const struct {
	enum rule rule;
	uint8_t faults, orders;
	enum fault fault;
} unsound[RULE_COUNT] = {
	{ RULE_ACK_THEN_ARM, 1, 0, FAULT_NUMBER },
	{ RULE_ARM_THEN_SEND, 1, 0, FAULT_NUMBER },
	{ RULE_APPLY_THEN_ACK, 1, 0, FAULT_NUMBER },
	{ RULE_ALONE_BOUND, 1, 0, FAULT_NUMBER },
	{ RULE_FENCED_REKEYS, 2, 1, FAULT_NUMBER },
	{ RULE_OWNED_DURABLE, 2, 0, FAULT_NUMBER },
	{ RULE_OWNED_THEN_RAISE, 2, 0, FAULT_NUMBER },
	{ RULE_REPORT_THEN_RAISE, 2, 0, FAULT_NUMBER },
	{ RULE_SHUT_THEN_REPORT, 1, 0, FAULT_NUMBER },
	{ RULE_OLD_TERM_REFUSED, 2, 0, FAULT_NUMBER },
	{ RULE_REPORT_AGAIN, 2, 0, FAULT_NUMBER },
	{ RULE_STALE_SILENT, 1, 1, FAULT_NUMBER },
	{ RULE_HANDOVER_FINAL, 0, 1, FAULT_NUMBER },
	{ RULE_LOWER_THEN_HAND, 0, 1, FAULT_NUMBER },
	{ RULE_STOP_THEN_APPLY, 0, 1, FAULT_NUMBER },
	{ RULE_RECREATE_AT_FENCE, 0, 1, FAULT_NUMBER },
	{ RULE_TERM_OF_NODE, 2, 0, FAULT_TERM },
	{ RULE_OWNER_REFUSES, 1, 0, FAULT_NUMBER },
	{ RULE_INCARNATION_DURABLE, 2, 0, FAULT_INCARNATION },
	{ RULE_ADOPT_OWN_RANGE, 2, 0, FAULT_NUMBER },
	{ RULE_CONFIRMED_BY_GRANTOR, 2, 0, FAULT_NUMBER },
	{ RULE_LOST_REKEYS, 2, 0, FAULT_NUMBER },
	{ RULE_EMPTY_SKIPS, 2, 0, FAULT_NUMBER },
	{ RULE_RESERVE_OF_START, 2, 0, FAULT_TERM },
	{ RULE_LEAVE_KEEPS_TERM, 2, 1, FAULT_TERM },
	{ RULE_HIGHER_TERM, 1, 0, FAULT_SETTLE },
};

static struct bounds bounds_of(enum rule rule, uint8_t faults, uint8_t orders)
{
	/* As few numbers as will do: with an order on top of two faults each one more costs a million states. */
	return (struct bounds){ .broken = UINT32_C(1) << rule,
				.keys = 1,
				.block = 1,
				.numbers = rule == RULE_LEAVE_KEEPS_TERM ? 2 : 3,
				.queue = 2,
				.faults = faults,
				.orders = orders,
				.settle = rule == RULE_HIGHER_TERM };
}

static unsigned suite_sound(bool deep)
{
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
		struct search_result r;

		if (sound[i].deep && !deep)
			continue;
		r = run(sound[i].name, &sound[i].b, stdout);
		bad += r.fault != FAULT_NONE || !r.complete;
	}
	return bad;
}

static unsigned suite_unsound(bool traces)
{
	unsigned bad = 0;

	for (size_t i = 0; i < RULE_COUNT; i++) {
		struct bounds b = bounds_of(unsound[i].rule, unsound[i].faults, unsound[i].orders);
		const struct rule_text *text = rule_text(unsound[i].rule);
		struct search_result r;

		if (traces)
			printf("\n== %s: %s\n", text->name, text->text);
		r = run(text->name, &b, traces ? stdout : NULL);
		if (r.fault != unsound[i].fault) {
			printf("FAILED: \"%s\" was to be found: %s\n", fault_text(unsound[i].fault), text->text);
			bad++;
		}
	}
	return bad;
}

/*
 * Nonces need no coordination: with any rule of it broken, no IV repeats. What they do need is that incarnations are
 * durable, and that a process never sets an SA back (RULE_RECREATE_AT_FENCE).
 */
static unsigned suite_nonces(bool deep)
{
	unsigned bad = 0;

	for (size_t i = 0; i < RULE_COUNT; i++) {
		struct bounds b = bounds_of(unsound[i].rule, deep ? unsound[i].faults : 1, unsound[i].orders);
		bool must_fail = unsound[i].rule == RULE_RECREATE_AT_FENCE;
		char name[64];
		struct search_result r;

		if (unsound[i].rule == RULE_INCARNATION_DURABLE)
			continue;
		b.nonces_only = true;
		b.settle = false;
		if (!must_fail && !deep)
			b.orders = 0;
		(void)snprintf(name, sizeof(name), "nonces without %s", rule_text(unsound[i].rule)->name);
		r = run(name, &b, must_fail ? NULL : stdout);
		bad += must_fail ? r.fault != FAULT_NONCE : r.fault != FAULT_NONE || !r.complete;
	}
	return bad;
}

static int suite(bool deep, bool traces)
{
	unsigned bad = suite_sound(deep);

	bad += suite_unsound(traces);
	bad += suite_nonces(deep);
	bad += slots_check();
	printf(bad ? "%u FAILED\n" : "model: all as it must be\n", bad);
	return bad != 0;
}

static int usage(void)
{
	fputs("usage: ha-model [--deep] [--traces]     the suite\n"
	      "       ha-model --faults N [--orders N] [--keys N] [--block N] [--numbers N] [--queue N]\n"
	      "                [--break RULE]... [--no-settle] [--nonces-only]     one search\nrules:\n",
	      stderr);
	for (unsigned i = 0; i < RULE_COUNT; i++)
		fprintf(stderr, "  %-22s %s\n", rule_text((enum rule)i)->name, rule_text((enum rule)i)->text);
	return 2;
}

static bool rule_break(struct bounds *b, const char *name)
{
	for (unsigned i = 0; i < RULE_COUNT; i++)
		if (strcmp(rule_text((enum rule)i)->name, name) == 0) {
			b->broken |= UINT32_C(1) << i;
			return true;
		}
	return false;
}

static bool number_read(const char *text, unsigned max, uint8_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (uint8_t)n;
	return *text && !*end && n <= max;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "faults", required_argument, NULL, 'f' },  { "orders", required_argument, NULL, 'o' },
		{ "keys", required_argument, NULL, 'k' },    { "block", required_argument, NULL, 'b' },
		{ "numbers", required_argument, NULL, 'n' }, { "queue", required_argument, NULL, 'q' },
		{ "break", required_argument, NULL, 'x' },   { "no-settle", no_argument, NULL, 's' },
		{ "nonces-only", no_argument, NULL, 'i' },   { "deep", no_argument, NULL, 'd' },
		{ "traces", no_argument, NULL, 't' },	     { 0 },
	};
	struct bounds b = { .keys = 1, .block = 1, .numbers = 5, .queue = 2, .settle = true };
	bool deep = false, traces = false, single = false, ok = true;
	int c;

	while (ok && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		single = single || (c != 'd' && c != 't');
		switch (c) {
		case 'f':
			ok = number_read(optarg, 3, &b.faults);
			break;
		case 'o':
			ok = number_read(optarg, 3, &b.orders);
			break;
		case 'k':
			ok = number_read(optarg, KEYS_MAX - 1, &b.keys) && b.keys > 0;
			break;
		case 'b':
			ok = number_read(optarg, 4, &b.block) && b.block > 0;
			break;
		case 'n':
			ok = number_read(optarg, NUMBER_MAX, &b.numbers);
			break;
		case 'q':
			ok = number_read(optarg, QUEUE_MAX, &b.queue) && b.queue > 0;
			break;
		case 'x':
			ok = rule_break(&b, optarg);
			break;
		case 's':
			b.settle = false;
			break;
		case 'i':
			b.nonces_only = true;
			break;
		case 'd':
			deep = true;
			break;
		case 't':
			traces = true;
			break;
		default:
			ok = false;
		}
	}
	if (!ok || optind != argc || b.block > b.numbers)
		return usage();
	if (single) {
		struct search_result r = run("search", &b, stdout);

		return r.fault != FAULT_NONE || !r.complete;
	}
	return suite(deep, traces);
}
