#include "daemon/fault.h"

#include "core/bytes.h"
#include "ike/events.h"

static const char *const place_names[FAULT_PLACES] = {
	[FAULT_BEFORE_REPLICATE] = "before-replicate",
	[FAULT_REPLICATED] = "replicated",
	[FAULT_ACKNOWLEDGED] = "acknowledged",
	[FAULT_SENT] = "sent",
	[FAULT_PROMOTED] = "promoted",
	[FAULT_CLAIMED] = "claimed",
	[FAULT_PERSIST] = "persist",
	[FAULT_HANDING] = "handing",
	[FAULT_RELEASE] = "release",
	[FAULT_APPLIED] = "applied",
	[FAULT_RESYNC_SENDING] = "resync-sending",
	[FAULT_RESYNC_TAKING] = "resync-taking",
};

#define FORMER "former-format"

enum { CREATE_CHILD_SA = 36 };

/* RFC 7296 3.1, and what one of them is for. */
static const struct {
	uint16_t number;
	const char *name;
} messages[] = {
	{ 34, "IKE_SA_INIT" },
	{ 35, "IKE_AUTH" },
	{ CREATE_CHILD_SA, "CREATE_CHILD_SA" },
	{ IKE_ABOUT_NEW_CHILD << 8 | CREATE_CHILD_SA, "NEW_CHILD" },
	{ IKE_ABOUT_REKEY_CHILD << 8 | CREATE_CHILD_SA, "REKEY_CHILD" },
	{ IKE_ABOUT_REKEY_IKE << 8 | CREATE_CHILD_SA, "REKEY_IKE" },
	{ 37, "INFORMATIONAL" },
};

#ifdef GW_FAULTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { FAULTS_MAX = 16, DELAY_MS = 300 };

enum action { ACTION_KILL, ACTION_STOP, ACTION_DROP, ACTION_DELAY };

static const char *const action_names[] = { "kill", "stop", "drop", "delay" };

struct armed {
	enum fault_place place;
	uint16_t about; /* 0: any; of CREATE_CHILD_SA without its upper octet: any kind */
	unsigned long count, delay_ms;
	enum action action;
	_Atomic unsigned long reached;
};

/* The process's own, as its environment is. Shared with children: written by all that are forked later. */
static struct faults {
	unsigned n;
	bool former;
	struct armed armed[FAULTS_MAX];
} * faults;

static bool parse_name(char *name, struct armed *a)
{
	char *slash = strchr(name, '/');
	bool found = false;

	if (slash)
		*slash++ = 0;
	for (unsigned i = 0; i < FAULT_PLACES && !found; i++)
		if (strcmp(place_names[i], name) == 0) {
			a->place = (enum fault_place)i;
			found = true;
		}
	if (!found || !slash)
		return found;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (strcmp(messages[i].name, slash) == 0)
			a->about = messages[i].number;
	return a->about != 0 && a->place < FAULT_BY_EXCHANGE;
}

static bool parse_action(char *word, struct armed *a)
{
	char *value = strchr(word, '=');

	a->delay_ms = DELAY_MS;
	if (value) {
		*value++ = 0;
		a->delay_ms = strtoul(value, NULL, 10);
	}
	for (unsigned i = 0; i < ARRAY_LEN(action_names); i++)
		if (strcmp(action_names[i], word) == 0) {
			a->action = (enum action)i;
			return a->delay_ms > 0 && (!value || a->action == ACTION_DELAY);
		}
	return false;
}

static bool parse_one(char *text, struct armed *a)
{
	char *count = strchr(text, ':'), *action = count ? strchr(count + 1, ':') : NULL, *end;

	if (!action)
		return false;
	*count++ = *action++ = 0;
	a->count = strtoul(count, &end, 10);
	return *count && !*end && a->count > 0 && parse_name(text, a) && parse_action(action, a);
}

bool fault_init(void)
{
	const char *from = getenv("GATEWAY_FAULT");
	char text[1024], *rest = text, *one;

	if (!from || !*from)
		return true;
	faults = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (faults == MAP_FAILED || snprintf(text, sizeof(text), "%s", from) >= (int)sizeof(text)) {
		faults = NULL;
		return false;
	}
	while ((one = strsep(&rest, ",")) != NULL)
		if (strcmp(one, FORMER) == 0) {
			faults->former = true;
		} else if (faults->n == FAULTS_MAX || !parse_one(one, &faults->armed[faults->n++])) {
			fprintf(stderr, "gatewayd: GATEWAY_FAULT: `%s` is not understood; see --list-faults\n", from);
			return false;
		}
	return true;
}

static bool fire(const struct armed *a)
{
	const struct timespec pause = { (time_t)(a->delay_ms / 1000), (long)(a->delay_ms % 1000) * 1000000 };

	fprintf(stderr, "fault: %s", place_names[a->place]);
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (messages[i].number == a->about)
			fprintf(stderr, "/%s", messages[i].name);
	fprintf(stderr, ": %s\n", action_names[a->action]);
	switch (a->action) {
	case ACTION_KILL:
		(void)raise(SIGKILL);
		break;
	case ACTION_STOP:
		(void)raise(SIGSTOP);
		break;
	case ACTION_DELAY:
		(void)nanosleep(&pause, NULL);
		break;
	case ACTION_DROP:
		break;
	}
	return a->action == ACTION_DROP;
}

static bool meant(const struct armed *a, enum fault_place place, uint16_t about)
{
	return a->place == place &&
	       (a->about == 0 || a->about == about || (a->about <= UINT8_MAX && a->about == (about & UINT8_MAX)));
}

bool fault_at(enum fault_place place, uint16_t about)
{
	bool drop = false;

	for (unsigned i = 0; faults && i < faults->n; i++) {
		struct armed *a = &faults->armed[i];

		if (meant(a, place, about) && atomic_fetch_add(&a->reached, 1) + 1 == a->count)
			drop |= fire(a);
	}
	return drop;
}

bool fault_wanted(enum fault_place place)
{
	for (unsigned i = 0; faults && i < faults->n; i++)
		if (faults->armed[i].place == place && faults->armed[i].reached < faults->armed[i].count)
			return true;
	return false;
}

bool fault_former(void)
{
	return faults && faults->former;
}

#endif

bool fault_list(FILE *out)
{
#ifdef GW_FAULTS
	for (unsigned i = 0; i < FAULT_PLACES; i++)
		if (i >= FAULT_BY_EXCHANGE)
			fprintf(out, "%s\n", place_names[i]);
		else
			for (size_t k = 0; k < ARRAY_LEN(messages); k++)
				fprintf(out, "%s/%s\n", place_names[i], messages[k].name);
	return true;
#else
	(void)place_names;
	(void)messages;
	fputs("this build has no fault points (GW_FAULTS)\n", out);
	return false;
#endif
}
