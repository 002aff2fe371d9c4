/*
 * Fault points of test builds (GW_FAULTS): named places at which the process kills itself, stops, loses what it was
 * about to say, or stands still. What they are told stands in the environment:
 *
 *	GATEWAY_FAULT=NAME:COUNT:ACTION[,...]	the COUNTth time that NAME is reached, once
 *
 * ACTION is kill, stop (SIGSTOP), drop (where something can be lost) or delay[=MILLISECONDS]. Names of places where an
 * IKE message is on its way end with its exchange: sent/IKE_AUTH; of CREATE_CHILD_SA also with what it is for:
 * sent/NEW_CHILD, sent/REKEY_CHILD, sent/REKEY_IKE (repeated messages count as neither of these). `gatewayd
 *--list-faults` has them all. Times are counted over restarts of the daemon under its parent process. Each point that
 * fires says so on standard error.
 *
 * The word `former-format` in that list makes the process a node of the former format of the sync stream, which adds
 * fields that this version does not know and leaves out what may be missing.
 *
 * Not in release builds: there nothing of this is left.
 */
#ifndef DAEMON_FAULT_H
#define DAEMON_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum fault_place {
	/* by exchange: a message whose effect waits for the standby */
	FAULT_BEFORE_REPLICATE, /* made; nothing of it has left this process */
	FAULT_REPLICATED,	/* the standby's record is written to the sync link */
	FAULT_ACKNOWLEDGED,	/* the standby has it, the message is about to leave */
	FAULT_SENT,
	FAULT_BY_EXCHANGE, /* those before this one are */
	/* roles */
	FAULT_PROMOTED = FAULT_BY_EXCHANGE, /* the decision is made, the data plane open, no address is claimed */
	FAULT_CLAIMED,			    /* neighbours were told, the IKE engine is silent still */
	FAULT_PERSIST,			    /* a term is about to be written */
	FAULT_HANDING,			    /* standby, with a few numbers left; the other node does not know yet */
	FAULT_RELEASE,			    /* addresses are about to be taken away */
	/* the standby's side, and catching up */
	FAULT_APPLIED,	      /* applied, not acknowledged */
	FAULT_RESYNC_SENDING, /* active: a part of a resync is written */
	FAULT_RESYNC_TAKING,  /* standby: a part of one is applied */
	FAULT_PLACES,
};

#ifdef GW_FAULTS
/* Reads the environment; before fork(), so that all processes count together. False: it makes no sense, which is said.
 */
bool fault_init(void);
/*
 * True: what is about to be said is to be lost. `about`: the exchange of the IKE header, enum ike_about << 8; 0 where
 * there is no message.
 */
bool fault_at(enum fault_place place, uint16_t about);
/* Whether any point of that place is waited for: for places that cost something to find out. */
bool fault_wanted(enum fault_place place);
bool fault_former(void);
#else
static inline bool fault_init(void)
{
	return true;
}
static inline bool fault_at(enum fault_place place, uint16_t about)
{
	(void)place;
	(void)about;
	return false;
}
static inline bool fault_wanted(enum fault_place place)
{
	(void)place;
	return false;
}
static inline bool fault_former(void)
{
	return false;
}
#endif

/* One name a line. False: this build has none. */
bool fault_list(FILE *out);

#endif
