/* gatewayctl: asks and tells a running gatewayd. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ctl_client.h"
#include "daemon/ctl_show.h"

#define DEFAULT_SOCKET "/run/gateway/control.sock"
#define SCHEMA "gatewayctl/v1"
#define HA_PREFIX "ha-"

enum { TIMEOUT_S = 10 };

/* Which options a command takes; also which request keys they become. */
enum ctl_option {
	OPT_ID = 1 << 0,
	OPT_CHILD_ID = 1 << 1,
	OPT_CONN = 1 << 2,
	OPT_PEER = 1 << 3,
	OPT_POOL = 1 << 4,
	OPT_ALL = 1 << 5,
	OPT_CHILD = 1 << 6,
	OPT_REASON = 1 << 7,
	OPT_LEVEL = 1 << 8, /* a plain argument */
	OPT_DRY_RUN = 1 << 9,
	OPT_REPAIR = 1 << 10,
	OPT_YES = 1 << 11,
	OPT_FOR = 1 << 12,
	OPT_SELECT = OPT_ID | OPT_CHILD_ID | OPT_CONN | OPT_PEER,
};

static bool show_count(const json_t *items, const struct ctl_style *style, FILE *out);

/* How the items stand in the one JSON document. */
enum ctl_form {
	FORM_LIST,   /* "key": [items] */
	FORM_ONE,    /* "key": item */
	FORM_MERGE,  /* the item's fields on top */
	FORM_STREAM, /* a line for each item, as it comes, without an end */
};

static const struct ctl_command {
	const char *name;
	unsigned options;
	enum ctl_form form;
	const char *key;
	ctl_show *show;
	const char *help;
} commands[] = {
	{ "list-sas", OPT_SELECT, FORM_LIST, "sas", ctl_show_sas,
	  "IKE SAs, and beneath each its CHILD SAs [--id N] [--child-id N] [--conn NAME] [--peer WHO]" },
	{ "show-sa", OPT_ID, FORM_ONE, "sa", ctl_show_sa, "all about one IKE SA: show-sa ID" },
	{ "list-conns", OPT_CONN, FORM_LIST, "conns", ctl_show_conns, "configured connections [--conn NAME]" },
	{ "list-pools", OPT_POOL, FORM_LIST, "pools", ctl_show_pools, "address pools and their use [--pool NAME]" },
	{ "list-leases", OPT_POOL, FORM_LIST, "leases", ctl_show_leases, "who has which inner address [--pool NAME]" },
	{ "stats", 0, FORM_MERGE, NULL, ctl_show_stats, "counters; -o wide shows those at zero, too" },
	{ "version", 0, FORM_MERGE, NULL, ctl_show_version, "of the running gatewayd" },
	{ "terminate", OPT_SELECT | OPT_ALL | OPT_REASON, FORM_MERGE, NULL, show_count,
	  "close SAs, telling the peer {--id N|--child-id N|--conn NAME|--peer WHO|--all} [--reason TEXT]" },
	{ "rekey", OPT_SELECT | OPT_ALL | OPT_CHILD, FORM_MERGE, NULL, show_count,
	  "new keys now, --child: for the CHILD SAs {--id N|--child-id N|--conn NAME|--peer WHO|--all}" },
	{ "probe", OPT_SELECT | OPT_ALL, FORM_MERGE, NULL, show_count,
	  "ask peers for a sign of life now {--id N|--conn NAME|--peer WHO|--all}" },
	{ "monitor", OPT_CONN, FORM_STREAM, NULL, NULL, "events as they come, a line of JSON each [--conn NAME]" },
	{ "log-level", OPT_LEVEL | OPT_CONN | OPT_FOR, FORM_MERGE, NULL, ctl_show_level,
	  "say or set it: log-level [error|warn|notice|info|debug] [--conn NAME] [--for 10m]" },
	{ "export-keys", OPT_ID | OPT_FOR, FORM_MERGE, NULL, ctl_show_export,
	  "keys of an IKE SA and its CHILD SAs for Wireshark {--id N --for 10m}" },
	{ "reload", OPT_DRY_RUN, FORM_MERGE, NULL, ctl_show_reload,
	  "read the configuration again [--dry-run]: say what it would change" },
	{ "ha-status", 0, FORM_MERGE, NULL, ctl_show_ha_status, "of the pair: would it survive a failure now?" },
	{ "ha-switchover", OPT_REASON, FORM_MERGE, NULL, ctl_show_ha_role, "hand over to the standby [--reason TEXT]" },
	{ "ha-drain", OPT_REASON, FORM_MERGE, NULL, ctl_show_ha_role,
	  "refuse new clients, and hand over when no handshake is under way [--reason TEXT]" },
	{ "ha-undrain", 0, FORM_MERGE, NULL, ctl_show_ha_role, "take new clients again" },
	{ "ha-promote", OPT_REASON, FORM_MERGE, NULL, ctl_show_ha_role, "make this node active [--reason TEXT]" },
	{ "ha-demote", OPT_REASON, FORM_MERGE, NULL, ctl_show_ha_role, "make this node standby [--reason TEXT]" },
	{ "ha-pause", 0, FORM_MERGE, NULL, ctl_show_ha_role, "no change of role by this node itself" },
	{ "ha-resume", 0, FORM_MERGE, NULL, ctl_show_ha_role, "the end of pause" },
	{ "ha-verify", OPT_REPAIR, FORM_MERGE, NULL, ctl_show_ha_verified,
	  "compare both nodes, and each with its data plane [--repair]" },
	{ "ha-peer-fenced", OPT_YES, FORM_MERGE, NULL, ctl_show_ha_role, "the other node is off for sure {--yes}" },
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

struct job {
	const struct ctl_command *command;
	const char *socket;
	int timeout_s;
	bool json;
	struct ctl_style style;
	unsigned given; /* options seen */
	json_t *request;
	/* the answer */
	json_t *items; /* text */
	size_t printed;
};

static bool show_count(const json_t *items, const struct ctl_style *style, FILE *out)
{
	(void)style;
	return fprintf(out, "%lld SAs\n",
		       (long long)json_integer_value(json_object_get(json_array_get(items, 0), "count"))) >= 0;
}

/* People say `ha status`; the socket says `ha-status`. */
static const char *spoken(const char *name, char *buf, size_t n)
{
	(void)snprintf(buf, n, "%s", name);
	if (strncmp(buf, HA_PREFIX, strlen(HA_PREFIX)) == 0)
		buf[strlen(HA_PREFIX) - 1] = ' ';
	return buf;
}

static void usage(FILE *f)
{
	fputs("Usage: gatewayctl [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands:\n", f);
	for (size_t i = 0; i < COMMANDS; i++) {
		char name[32];

		fprintf(f, "  %-15s  %s\n", spoken(commands[i].name, name, sizeof(name)), commands[i].help);
	}
	fputs("\nWHO is an identity (alice@example.org), or an outer or inner address.\n"
	      "\n"
	      "Options:\n"
	      "  -j, --json           one JSON document (schema " SCHEMA ")\n"
	      "  -o, --output FORMAT  table (default), wide or json\n"
	      "      --no-headers     tables without their header line\n"
	      "      --socket PATH    control socket (default $GATEWAYCTL_SOCKET, else " DEFAULT_SOCKET ")\n"
	      "      --timeout N      seconds to wait for an answer (default 10)\n"
	      "  -V, --version        version of this program\n"
	      "  -h, --help           this text\n"
	      "\n"
	      "Exit status: 0 ok, 1 failed, 2 wrong usage, 3 gatewayd not reachable, 4 nothing matches,\n"
	      "5 not permitted, 6 configuration invalid, 124 timed out.\n",
	      f);
}

/* ---- answers ---- */

static bool print_json(struct job *job, json_t *item)
{
	bool merge = job->command->form == FORM_MERGE;

	if (merge) {
		json_t *document = json_pack("{s:s}", "schema", SCHEMA);
		bool ok = document && json_object_update(document, item) == 0 &&
			  json_dumpf(document, stdout, JSON_COMPACT) == 0;

		json_decref(document);
		job->printed++;
		return ok && fputc('\n', stdout) != EOF;
	}
	if (job->printed++ == 0)
		printf("{\"schema\":\"" SCHEMA "\",\"%s\":%s\n", job->command->key,
		       job->command->form == FORM_LIST ? "[" : "");
	else
		fputs(",\n", stdout);
	return json_dumpf(item, stdout, JSON_COMPACT) == 0;
}

static bool end_json(const struct job *job)
{
	if (job->command->form == FORM_LIST && job->printed == 0)
		printf("{\"schema\":\"" SCHEMA "\",\"%s\":[]}\n", job->command->key);
	else if (job->command->form == FORM_LIST)
		fputs("\n]}\n", stdout);
	else if (job->command->form == FORM_ONE)
		fputs("}\n", stdout);
	return fflush(stdout) == 0;
}

static bool each_item(void *arg, json_t *item)
{
	struct job *job = arg;

	if (job->command->form == FORM_STREAM)
		return json_dumpf(item, stdout, JSON_COMPACT) == 0 && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
	if (job->json)
		return print_json(job, item);
	return json_array_append(job->items, item) == 0;
}

/* Of a configuration that was refused: all that is wrong with it. */
static void say_problems(const struct job *job)
{
	const json_t *problems = json_object_get(json_array_get(job->items, 0), "problems");

	for (size_t i = 0; i < json_array_size(problems); i++)
		fprintf(stderr, "%s\n", json_string_value(json_array_get(problems, i)));
}

static int do_job(struct job *job)
{
	bool stream = job->command->form == FORM_STREAM;
	enum ctl_exit r = ctl_ask(job->socket, job->request, stream ? -1 : job->timeout_s, each_item, job);
	size_t n = job->json ? job->printed : json_array_size(job->items);
	bool ok;

	if (r != CTL_OK) {
		say_problems(job);
		return (int)r;
	}
	ok = job->json ? end_json(job) : job->command->show(job->items, &job->style, stdout) && fflush(stdout) == 0;
	if (!ok) {
		fprintf(stderr, "gatewayctl: cannot write the answer: %s\n", strerror(errno));
		return CTL_FAILED;
	}
	/* Somebody asked for something in particular. */
	return n == 0 && job->given != 0 ? CTL_NO_MATCH : CTL_OK;
}

/* ---- arguments ---- */

static int wrong(const char *fmt, const char *what)
{
	fputs("gatewayctl: ", stderr);
	fprintf(stderr, fmt, what);
	fputs("; see gatewayctl --help\n", stderr);
	return CTL_USAGE;
}

static bool parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	if (*text == '#')
		text++;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == 0 && errno == 0 && *out > 0 && *out <= max;
}

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "socket", required_argument, NULL, 's' },
	{ "timeout", required_argument, NULL, 't' },
	{ "no-headers", no_argument, NULL, 'n' },
	{ "id", required_argument, NULL, 'i' },
	{ "child-id", required_argument, NULL, 'c' },
	{ "conn", required_argument, NULL, 'C' },
	{ "peer", required_argument, NULL, 'p' },
	{ "pool", required_argument, NULL, 'P' },
	{ "all", no_argument, NULL, 'a' },
	{ "child", no_argument, NULL, 'k' },
	{ "reason", required_argument, NULL, 'r' },
	{ "dry-run", no_argument, NULL, 'd' },
	{ "for", required_argument, NULL, 'f' },
	{ "repair", no_argument, NULL, 'R' },
	{ "yes", no_argument, NULL, 'y' },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	int letter;
	enum ctl_option option;
	const char *key;
	char type; /* n number, s string, b flag */
} filters[] = {
	{ 'i', OPT_ID, "id", 'n' },	  { 'c', OPT_CHILD_ID, "child_id", 'n' }, { 'C', OPT_CONN, "conn", 's' },
	{ 'p', OPT_PEER, "peer", 's' },	  { 'P', OPT_POOL, "pool", 's' },	  { 'a', OPT_ALL, "all", 'b' },
	{ 'k', OPT_CHILD, "child", 'b' }, { 'r', OPT_REASON, "reason", 's' },	  { 'd', OPT_DRY_RUN, "dry_run", 'b' },
	{ 'f', OPT_FOR, "for", 's' },	  { 'R', OPT_REPAIR, "repair", 'b' },	  { 'y', OPT_YES, "yes", 'b' },
};

/* 0: taken. */
static int take_filter(struct job *job, int letter, const char *value)
{
	unsigned long n;
	json_t *v = NULL;

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (filters[i].letter != letter)
			continue;
		if (filters[i].type == 'n' && !parse_number(value, UINT32_MAX, &n))
			return wrong("`%s` is not a number of an SA", value);
		v = filters[i].type == 'n'   ? json_integer((json_int_t)n)
		    : filters[i].type == 'b' ? json_true()
					     : json_string(value);
		if (!v)
			return wrong("`%s` is not valid UTF-8", value);
		job->given |= filters[i].option;
		return json_object_set_new(job->request, filters[i].key, v) == 0 ? 0 : CTL_FAILED;
	}
	return CTL_USAGE;
}

static int take_output(struct job *job, const char *format)
{
	if (strcmp(format, "json") == 0)
		job->json = true;
	else if (strcmp(format, "wide") == 0)
		job->style.wide = true;
	else if (strcmp(format, "table") != 0)
		return wrong("no such output format: %s", format);
	return 0;
}

/* 0: go on; -1: done, all is said; else the exit code. */
static int take_option(struct job *job, int letter)
{
	unsigned long n;

	switch (letter) {
	case 'j':
		job->json = true;
		return 0;
	case 'o':
		return take_output(job, optarg);
	case 'n':
		job->style.headers = false;
		return 0;
	case 's':
		job->socket = optarg;
		return 0;
	case 't':
		if (!parse_number(optarg, 86400, &n))
			return wrong("`%s` is not a number of seconds", optarg);
		job->timeout_s = (int)n;
		return 0;
	case 'V':
		puts("gatewayctl " GW_VERSION);
		return -1;
	case 'h':
		usage(stdout);
		return -1;
	case '?':
		fputs("see gatewayctl --help\n", stderr);
		return CTL_USAGE;
	default:
		return take_filter(job, letter, optarg);
	}
}

static int take_command(struct job *job, int argc, char **argv)
{
	const char *name = argv[0], *more = argc > 1 ? argv[1] : NULL;
	char joined[32];
	int r = 0;

	if (strcmp(name, "ha") == 0) {
		if (!more)
			return wrong("%s wants a further word: status, switchover, ...", name);
		(void)snprintf(joined, sizeof(joined), HA_PREFIX "%s", more);
		name = joined;
		more = argc > 2 ? argv[2] : NULL;
	}

	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			job->command = &commands[i];
	if (!job->command)
		return wrong("no such command: %s", name);
	if (more && strcmp(name, "show-sa") == 0) {
		r = take_filter(job, 'i', more);
		more = argc > 2 ? argv[2] : NULL;
	} else if (more && (job->command->options & OPT_LEVEL)) {
		r = json_object_set_new(job->request, "level", json_string(more)) == 0 ? 0 : CTL_FAILED;
		more = argc > 2 ? argv[2] : NULL;
	}
	if (r != 0)
		return r;
	if (more)
		return wrong("unexpected argument: %s", more);
	if (job->given & ~job->command->options)
		return wrong("an option does not fit to %s", name);
	if ((job->command->options & OPT_ALL) && !(job->given & (OPT_SELECT | OPT_ALL)))
		return wrong("%s wants --id, --child-id, --conn, --peer or --all", name);
	if (strcmp(name, "show-sa") == 0 && !(job->given & OPT_ID))
		return wrong("%s wants the number of an IKE SA, as list-sas shows it", name);
	if (strcmp(name, HA_PREFIX "peer-fenced") == 0 && !(job->given & OPT_YES))
		return wrong("%s wants --yes: say it only when the other node is off for sure", name);
	return json_object_set_new(job->request, "cmd", json_string(name)) == 0 ? 0 : CTL_FAILED;
}

int main(int argc, char **argv)
{
	const char *from_env = getenv("GATEWAYCTL_SOCKET");
	struct job job = { .socket = from_env && *from_env ? from_env : DEFAULT_SOCKET,
			   .timeout_s = TIMEOUT_S,
			   .style = { .headers = true },
			   .request = json_object(),
			   .items = json_array() };
	int letter, r = job.request && job.items ? 0 : CTL_FAILED;

	while (r == 0 && (letter = getopt_long(argc, argv, "jo:hV", options, NULL)) != -1)
		r = take_option(&job, letter);
	if (r == 0 && optind >= argc) {
		usage(stderr);
		r = CTL_USAGE;
	}
	if (r == 0)
		r = take_command(&job, argc - optind, argv + optind);
	if (r == 0)
		r = do_job(&job);
	json_decref(job.request);
	json_decref(job.items);
	return r < 0 ? CTL_OK : r;
}
