/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/rights.h"

#include <errno.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>

void rights_bound(void)
{
    for (cap_value_t c = 0; c <= cap_max_bits(); c++)
        prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

static int drop_sets(struct err *e)
{
    cap_t none = cap_init();
    if (!none)
        return err_set(e, "memory is short");
    int failed = cap_set_proc(none);
    int why = errno;
    cap_free(none);
    if (failed)
        return err_set(e, "capabilities cannot be given up: %s", strerror(why));
    cap_reset_ambient(); /* what is not permitted cannot be in it; old kernels have none */
    return 0;
}

/* The sets of this thread, as the kernel has them now. */
static int check_sets(struct err *e)
{
    static const struct {
        cap_flag_t flag;
        const char *name;
    } sets[] = {{CAP_EFFECTIVE, "effective"},
                {CAP_PERMITTED, "permitted"},
                {CAP_INHERITABLE, "inheritable"}};
    cap_t have = cap_get_proc();
    int left = have ? 0 : err_set(e, "cannot see which capabilities are left: %s", strerror(errno));
    for (cap_value_t c = 0; have && !left && c <= cap_max_bits(); c++) {
        for (size_t i = 0; i < sizeof sets / sizeof *sets && !left; i++) {
            cap_flag_value_t set = CAP_CLEAR;
            char *name = NULL;
            if (cap_get_flag(have, c, sets[i].flag, &set) == 0 && set == CAP_SET)
                left = err_set(e, "%s is still %s: it must run without any capability",
                               (name = cap_to_name(c)) ? name : "a capability", sets[i].name);
            cap_free(name);
        }
        if (!left && cap_get_ambient(c) == CAP_SET)
            left = err_set(e, "capability %d is still ambient", (int)c);
    }
    cap_free(have);
    return left;
}

int rights_drop(struct err *e)
{
    if (drop_sets(e) != 0 || check_sets(e) != 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return err_set(e, "prctl: %s", strerror(errno));
    return 0;
}
