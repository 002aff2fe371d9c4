/* Users by name: found in constant time, however many there are. */
#ifndef CONFIG_USERS_H
#define CONFIG_USERS_H

#include "config/model.h"

/*
 * NULL: no such user. `ignore_case`: ASCII letters count alike; of several names that differ in nothing else the one
 * that is written as asked for is taken, else the first of the file.
 */
const struct user_cfg *settings_user(const struct settings *s, struct bytes name, bool ignore_case);

/* ASCII letters alike, other octets as they are. */
bool user_names_equal(struct bytes a, struct bytes b, bool ignore_case);

#endif
