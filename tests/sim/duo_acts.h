/* What clients of a pair do at random, and how everything gets well again. */
#ifndef TESTS_SIM_DUO_ACTS_H
#define TESTS_SIM_DUO_ACTS_H

#include "tests/sim/duo.h"

/* A random client rekeys, adds or deletes a CHILD SA, probes; or the gateway rekeys all. */
void duo_client_acts(struct duo *d);
/* Links, nodes and the network are mended, and clients that were left alone find it out. Several minutes. */
void duo_heal(struct duo *d);
/* At rest, synced, and everybody agrees on everything. */
void duo_all_well(struct duo *d);

#endif
