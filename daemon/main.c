/* gatewayd: reads its configuration, opens everything, drops its rights, and runs until it is told to stop. */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/load.h"
#include "core/slice.h"
#include "daemon/fault.h"
#include "daemon/gateway.h"
#include "daemon/parent.h"
#include "daemon/privileges.h"
#include "daemon/programs.h"
#include "daemon/sandbox.h"

#define DEFAULT_CONFIG "/etc/gateway/gateway.yaml"

enum exit_code { EXIT_USAGE = 2, EXIT_CONFIG = 6 };

static void usage(FILE *f)
{
	fputs("Usage: gatewayd [-c FILE]\n"
	      "       gatewayd --check-config [FILE]\n"
	      "\n"
	      "IKEv2/ESP VPN gateway. Runs in the foreground and logs to standard error.\n"
	      "\n"
	      "  -c, --config FILE   configuration (default " DEFAULT_CONFIG ")\n"
	      "      --check-config  check it, say everything that is wrong, and exit\n"
	      "      --list-faults   name the fault points of a test build\n"
	      "  -V, --version       print the version and exit\n"
	      "  -h, --help          print this and exit\n"
	      "\n"
	      "SIGHUP reads the configuration again; SIGTERM tells all clients goodbye and ends.\n"
	      "Exit status: 0 ended in order, 1 failed, 2 wrong usage, 6 configuration invalid.\n",
	      f);
}

/* Loads and prints every problem. NULL: there was an error. */
static struct settings *load(const char *file)
{
	struct config_report report = { 0 };
	struct settings *s = config_load_file(file, NULL, &report);
	char text[1024];

	for (size_t i = 0; i < report.count; i++)
		fprintf(stderr, "%s\n", config_problem_text(&report, i, text, sizeof(text)));
	config_report_clear(&report);
	return s;
}

static int check_config(const char *file)
{
	struct settings *s = load(file);

	if (!s)
		return EXIT_CONFIG;
	printf("%s: ok, %zu connections, %zu pools\n", file, s->conn_count, s->pool_count);
	settings_unref(s);
	return EXIT_SUCCESS;
}

static enum gw_err drop(struct log *log, struct err *e)
{
	privileges_protect(log);
	return privileges_drop(log, e);
}

/* The parent process keeps what the daemons to come need; and it has the key of the heartbeats. */
static enum gw_err rest(struct log *log, struct err *e)
{
	privileges_protect(log);
	return privileges_rest(e);
}

/* The planes' threads hardly allocate: one arena, given back early, keeps an idle gateway small. */
static void tune_malloc(void)
{
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_TRIM_THRESHOLD, 256 * 1024);
	(void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

/* What a start of the daemon is given. */
struct start {
	const char *file;
	int programs_fd; /* of a pair; -1: none */
};

static int run_gateway(struct settings *s, const struct start *start, struct parent_link *parent)
{
	const struct gateway_options opt = { .config_file = start->file,
					     .drop = drop,
					     .confine = sandbox_enter,
					     .signals = true,
					     .parent = parent,
					     .runs_programs = start->programs_fd >= 0,
					     .programs_fd = start->programs_fd };
	struct err e = { 0 };
	struct gateway *g;
	bool ok;

	(void)slice_short(); /* the loop's and the data plane's; heartbeats have more */
	g = gateway_create(s, &opt, &e);
	if (!g) {
		fprintf(stderr, "gatewayd: %s\n", e.text);
		return EXIT_FAILURE;
	}
	ok = gateway_run(g);
	gateway_destroy(g);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Each time anew: a daemon that is started again reads what the file says now. */
static int run_child(void *arg, struct parent_link *parent)
{
	const struct start *start = arg;
	struct err e = { 0 };
	struct settings *s;

	if (privileges_take_up(&e) != GW_OK)
		fprintf(stderr, "gatewayd: %s\n", e.text);
	s = load(start->file);
	return s ? run_gateway(s, start, parent) : EXIT_CONFIG;
}

/* A node of a pair has a parent process, which keeps nothing of the configuration but the paths of programs. */
static int run_pair(struct settings *s, struct start *start)
{
	struct log log = { .level = LOG_LVL_NOTICE, .clock = clock_system() };
	const struct parent_options opt = { .log = &log, .daemon = run_child, .arg = start, .rest = rest };
	struct program_settings programs;
	struct err e = { 0 };
	int status = EXIT_FAILURE;

	log.format = s->log_auto ? (sdnotify_journal() ? LOG_JOURNAL : LOG_TEXT) : s->log_format;
	programs_settings(&s->ha, &programs);
	settings_unref(s);
	if (programs_fork(&programs, start->file, &start->programs_fd, &e) == GW_OK)
		status = parent_run(&opt);
	else
		fprintf(stderr, "gatewayd: %s\n", e.text);
	return status;
}

static int run(const char *file)
{
	struct start start = { file, -1 };
	struct settings *s = load(file);

	if (!s)
		return EXIT_CONFIG;
	return s->ha.enabled ? run_pair(s, &start) : run_gateway(s, &start, NULL);
}

int main(int argc, char **argv)
{
	enum { OPT_CHECK = 256, OPT_FAULTS };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "list-faults", no_argument, NULL, OPT_FAULTS },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = DEFAULT_CONFIG;
	bool check = false;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			file = optarg;
			break;
		case OPT_CHECK:
			check = true;
			break;
		case OPT_FAULTS:
			return fault_list(stdout) ? EXIT_SUCCESS : EXIT_FAILURE;
		case 'V':
			puts("gatewayd " GW_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (check && optind < argc)
		file = argv[optind++];
	if (optind < argc) {
		fprintf(stderr, "gatewayd: unexpected argument `%s`\n", argv[optind]);
		usage(stderr);
		return EXIT_USAGE;
	}
	if (check)
		return check_config(file);
	if (!fault_init())
		return EXIT_USAGE;
	tune_malloc();
	(void)signal(SIGPIPE, SIG_IGN);
	return run(file);
}
