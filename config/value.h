#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H
/* What the parsers of values (value*.c) share. */
#include "config/reader.h"

/* What a wrong value looked like, without flooding the line. */
#define SHOWN "`%.80s`"

/* Reports that a key wants something else; false. */
bool value_wrong(struct load *l, const struct schema_key *k, struct mark where, const char *wanted, const char *text);

/* Digits at the head of `text`, without leading zeros; *end is behind them. False if there are none, or too many. */
bool value_digits(const char *text, int64_t *out, const char **end);

/* value_address.c */
value_parse value_address, value_interface_address, value_range, value_pool_range, value_network, value_selector;

#endif
