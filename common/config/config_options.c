/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config_options.h"

enum { USER_PRIVACIES = 3, ADDRESS_PRIVACIES = 3 };

/* In the order of the enums in config.h. */
static const char *const user_privacy_names[USER_PRIVACIES] = {"plain", "hash", "domain"};
static const char *const address_privacy_names[ADDRESS_PRIVACIES] = {"plain", "hash", "network"};

const char *const floor_names[FLOORS] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

const char *const section_names[SECTION_COUNT] = {
    [IN_ROOT] = "the configuration",
    [IN_LISTENER] = "a listener",
    [IN_TRUSTED] = "\"trusted\"",
    [IN_EXCEPTION] = "an exception",
    [IN_PROGRAM] = "\"policyd\" and \"milter\"",
    [IN_SOCKET] = "a socket",
    [IN_TAP] = "\"tap\"",
    [IN_JOURNAL] = "\"journal\"",
    [IN_PRIVACY] = "\"privacy\"",
};

const struct option options[OPTION_COUNT] = {
#define ROW(id, section, name, type, standard, sentence, ...)                                      \
    [OPTION_##id] = {.in = (section),                                                              \
                     .key = (name),                                                                \
                     .kind = (type),                                                               \
                     .fallback = (standard),                                                       \
                     .help = (sentence),                                                           \
                     __VA_ARGS__},
#include "config/config_options.def"
#undef ROW
};
