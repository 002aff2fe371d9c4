/*
 * Results. A function that can fail returns enum gw_err and is MUST_USE. Text is added while unwinding and logged once,
 * at the edge that gives up. A peer's mistake, our limit and our bug are different codes, with different answers.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include "core/bytes.h"

enum gw_err {
	GW_OK = 0,
	/* the peer's or the user's mistake */
	GW_EMALFORMED,   /* bytes that do not parse: INVALID_SYNTAX */
	GW_EAUTH,        /* ICV, AUTH or signature wrong */
	GW_EPROPOSAL,    /* nothing in common: NO_PROPOSAL_CHOSEN */
	GW_EGROUP,       /* a common proposal, but another KE group: INVALID_KE_PAYLOAD */
	GW_ETS,          /* no intersection: TS_UNACCEPTABLE */
	GW_EADDRESS,     /* no inner address to give: INTERNAL_ADDRESS_FAILURE / FAILED_CP_REQUIRED */
	GW_EUNSUPPORTED, /* critical payload, version, algorithm, method we do not have */
	GW_ESTATE,       /* not legal in this state, or not now */
	GW_EREPLAY,      /* seen before, or too old */
	GW_ENOTFOUND,
	GW_EEXIST,
	GW_EINVAL,  /* a caller's or a user's value out of range */
	GW_ECONFIG, /* the configuration says no */
	/* our limit */
	GW_ENOMEM,
	GW_ELIMIT, /* a bound of ike/limits.h or of the settings */
	GW_EIO,    /* the system said no; errno text is in the message */
	GW_EPERM,
	GW_EBUSY, /* try again later: TEMPORARY_FAILURE */
	/* not an error: the step goes on when somebody answers (DESIGN.md §9) */
	GW_PENDING,
	/* our bug */
	GW_EINTERNAL,
};

/* "malformed", "out of memory", ...; never NULL. */
const char *gw_err_text(enum gw_err code);

struct err {
	enum gw_err code;
	char text[800]; /* room for both sides of a refusal */
};

/* Sets code and text; returns code. `e` may be NULL, then only the code is passed on. */
enum gw_err err_set(struct err *e, enum gw_err code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts context before what is there: "<context>: <old text>". Returns e's code. */
enum gw_err err_add(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Return on error: our only macro with a return in it. */
#define TRY(call) \
	do { \
		enum gw_err try_ = (call); \
		if (try_ != GW_OK) \
			return try_; \
	} while (0)

#endif
