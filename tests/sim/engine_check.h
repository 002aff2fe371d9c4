/* One gateway and one client, the engine looked into, and its log. */
#ifndef TESTS_SIM_ENGINE_CHECK_H
#define TESTS_SIM_ENGINE_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#include "ike/engine.h"
#include "ike/state.h"
#include "tests/initiator/ini.h"
#include "tests/sim/sim.h"
#include "tests/sim/suite.h"

static struct sim s;
static const struct ike_select everything;

/* ---- the log, as users at level info see it ---- */

static char lines[64][400];
static size_t line_count;

static inline void take_line(void *arg, enum log_level level, const char *line, size_t n)
{
	(void)arg;
	if (level <= LOG_LVL_INFO && line_count < ARRAY_LEN(lines))
		snprintf(lines[line_count++], sizeof(lines[0]), "%.*s", (int)n, line);
}

static inline size_t lines_with(const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < line_count; i++)
		n += strstr(lines[i], text) != NULL;
	return n;
}

/* ---- worlds ---- */

static inline struct sim_client *world(uint64_t seed, const struct sim_settings *settings)
{
	sim_init(&s, seed, settings, false);
	line_count = 0;
	s.log.sink = take_line;
	s.gate.active.env->log = &s.log;
	return sim_client_add(&s, false);
}

static inline struct sim_client *connected(uint64_t seed, const struct sim_settings *settings)
{
	struct sim_client *c = world(seed, settings);

	sim_connect(&s, c);
	sim_want(&s, sim_settle(&s, SECONDS(5)) && ini_up(c->ini));
	sim_check(&s);
	return c;
}

static inline void done(void)
{
	sim_check(&s);
	sim_clear(&s);
}

/* The engine's own view, to be looked at only. */
static inline struct ike *engine(void)
{
	return s.gate.active.ike;
}

static inline struct ike_sa *first_sa(void)
{
	uint32_t after = 0;

	return (struct ike_sa *)(uintptr_t)ike_next(engine(), &after);
}

#endif
