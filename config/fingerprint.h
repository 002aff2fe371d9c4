/*
 * What the two nodes of a pair must have in common, as one number that heartbeats carry: 12 to 16 bits for each part of
 * the configuration, so that where two numbers differ the part can be named (and two parts that differ look the same
 * once in thousands). Paths of files and what belongs to one node (node, listen, control, log, state_dir, userspace) do
 * not count; contents of secret files do, but the secret of the pair, which is changed on one node after the other.
 * Pure.
 */
#ifndef CONFIG_FINGERPRINT_H
#define CONFIG_FINGERPRINT_H

#include "config/schema.h"

uint64_t settings_fingerprint(const struct settings *s);

/* Names of the parts in which the two differ, "connections, pools", into buf. "" when they are equal. */
enum { FINGERPRINT_TEXT = 64 };
const char *fingerprint_differs(uint64_t a, uint64_t b, char buf[FINGERPRINT_TEXT]);

#endif
