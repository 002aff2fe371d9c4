/*
 * Microsoft's private notify 12345: a Windows client says in it why it gives up, as a Win32 error in network order. What
 * the numbers mean to the operator of a gateway, and what to do.
 */
#ifndef IKE_MS_STATUS_H
#define IKE_MS_STATUS_H

#include "ike/message.h"

struct ike_sa;

enum { N_MS_STATUS = 12345 };

/* 0: there is none in the message, or it is not of its size. */
uint32_t ms_status_of(const struct ike_msg *m);
/* "Policy match error; ...": never NULL. */
const char *ms_status_text(uint32_t status);
/* One line about what the peer said in `m`, if it did. */
void ms_status_log(const struct ike_sa *sa, const struct ike_msg *m);

#endif
