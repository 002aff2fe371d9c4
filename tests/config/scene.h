/* What the config tests share: loading text with secrets that do not come from the disk, and looking at the report. */
#ifndef TESTS_CONFIG_SCENE_H
#define TESTS_CONFIG_SCENE_H

#include "config/load.h"
#include "tests/check_main.h"
#include "tests/config/scene_pki.h"

#include <stdio.h>

static inline const char *scene_getenv(void *arg, const char *name)
{
	const char *fake = arg;

	if (strcmp(name, "GATEWAY_ALLOW_FAKE") == 0)
		return fake;
	return strcmp(name, "PSK") == 0 ? "from the environment" : NULL;
}

static inline enum gw_err scene_secret(void *arg, const char *path, struct secret *out, struct err *e)
{
	static const struct {
		const char *path, *text;
	} pki[] = { { "/etc/gateway/ca.pem", SCENE_CA },
		    { "/etc/gateway/gw.pem", SCENE_CERT },
		    { "/etc/gateway/gw.key", SCENE_KEY } };

	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(pki); i++) {
		if (strcmp(path, pki[i].path) == 0)
			return secret_copy(out, bytes_str(pki[i].text));
	}
	if (strcmp(path, "/etc/gateway/ha") == 0)
		return secret_copy(out, bytes_str("sixteen octets or more\n"));
	if (strcmp(path, "/etc/gateway/alice") != 0 && strcmp(path, "/etc/gateway/psk") != 0 &&
	    strcmp(path, "psk") != 0 && strcmp(path, "/x/psk") != 0)
		return err_set(e, GW_EIO, "No such file or directory");
	return secret_copy(out, bytes_str("from the file\n"));
}

/* `fake`: value of GATEWAY_ALLOW_FAKE. */
static inline struct config_sources scene_sources(const char *fake)
{
	return (struct config_sources){ .getenv = scene_getenv,
					.read_secret = scene_secret,
					.arg = (void *)(uintptr_t)fake };
}

static inline struct settings *scene_load(const char *file, const char *yaml, struct config_report *r)
{
	struct config_sources src = scene_sources(NULL);

	return config_load_text(file, bytes_str(yaml), &src, r);
}

/* All problems, a line each, as a user sees them. To be freed. */
static inline char *scene_problems(const struct config_report *r)
{
	char *all = NULL, line[2048];
	size_t n = 0;
	FILE *f = open_memstream(&all, &n);

	ck_assert_ptr_nonnull(f);
	for (size_t i = 0; i < r->count; i++)
		(void)fprintf(f, "%s\n", config_problem_text(r, i, line, sizeof(line)));
	(void)fclose(f);
	return all;
}

/* As ck_assert_str_eq, which cannot show long text. */
static inline bool scene_same(const char *got, const char *wanted)
{
	if (strcmp(got, wanted) == 0)
		return true;
	(void)fprintf(stderr, "got:\n%swanted:\n%s", got, wanted);
	return false;
}

/* The problems of `yaml` are exactly these lines. */
#define expect_problems(yaml, wanted) \
	do { \
		struct config_report report_; \
		struct settings *settings_ = scene_load("f", (yaml), &report_); \
		char *problems_ = scene_problems(&report_); \
		bool broken_ = strstr((wanted), "error: ") != NULL; \
		ck_assert(scene_same(problems_, (wanted))); \
		ck_assert_int_eq(settings_ == NULL, broken_); \
		ck_assert_int_eq(report_.errors > 0, broken_); \
		free(problems_); \
		settings_unref(settings_); \
		config_report_clear(&report_); \
	} while (0)

/* A file that is right but for what is tested. Its lines: 1 connections, 2 road, 3 psk, 4 children, 5 lan, 6 local. */
#define ROAD \
	"connections:\n" \
	"  road:\n" \
	"    psk: 'correct horse'\n" \
	"    children:\n" \
	"      lan:\n" \
	"        local: 192.168.1.0/24\n"

/* Settings of a file without any problem. */
static inline struct settings *scene_good(const char *yaml)
{
	struct config_report r;
	struct settings *s = scene_load("f", yaml, &r);
	char *problems = scene_problems(&r);

	ck_assert_str_eq(problems, "");
	ck_assert_ptr_nonnull(s);
	free(problems);
	config_report_clear(&r);
	return s;
}

#endif
