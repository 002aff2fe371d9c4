/*
 * gateway.yaml -> struct settings. All errors are found and reported in one go, each as `file:line:column: message`,
 * with a hint where one is likely ("did you mean `proposals`?").
 */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/model.h"

struct config_problem {
	unsigned line, column; /* from 1; 0: the file as a whole */
	bool warning;          /* works, but should be looked at */
	char *text;            /* owned */
};

struct config_report {
	char *file;
	struct config_problem *items;
	size_t count, errors;
};

/* Where secrets and files are looked up; all NULL: the real system. Lets tests and the fuzzer stay off the disk. */
struct config_sources {
	/* The value of an environment variable, or NULL. */
	const char *(*getenv)(void *arg, const char *name);
	/* A secret file's content, at most 64 KiB, after its permissions were checked (not readable by others). */
	enum gw_err (*read_secret)(void *arg, const char *path, struct secret *out, struct err *e);
	/* Likewise of a file that may be public (certificates). NULL: read_secret is asked. */
	enum gw_err (*read_file)(void *arg, const char *path, struct secret *out, struct err *e);
	void *arg;
};

/* NULL when there is an error in `report`; warnings alone do not fail. Relative paths are relative to the file's folder. */
struct settings *config_load_file(const char *path, const struct config_sources *src, struct config_report *report);
struct settings *config_load_text(const char *file, struct bytes yaml, const struct config_sources *src,
				  struct config_report *report);

/* "file:3:7: error: unknown key `proposal`; did you mean `proposals`?" for item i, into buf. */
const char *config_problem_text(const struct config_report *r, size_t i, char *buf, size_t n);
void config_report_clear(struct config_report *r);

/* "aes256gcm16-prfsha384-x25519" -> transforms, checked for its use: IKE wants ENCR, PRF (derived from the integrity
 * algorithm when not given) and DH; ESP wants ENCR and maybe DH and ESN (noesn when neither is named). */
enum proposal_use { PROPOSAL_IKE, PROPOSAL_ESP };
MUST_USE enum gw_err proposal_parse(const char *text, enum proposal_use use, struct proposal_cfg *out, struct err *e);
enum { PROPOSAL_TEXT = 512 };
const char *proposal_text(const struct proposal_cfg *p, char buf[PROPOSAL_TEXT]);

#endif
