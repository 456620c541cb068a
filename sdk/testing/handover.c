/* SPDX-License-Identifier: Apache-2.0 */
/* The fake kernel has a successor for the plugin. */
#include "runtime/listener.h"
#include "testing/private.h"

void
cairn_drained(struct cairn *cairn)
{
	if (!cairn->handing_over)
		fail_msg("cairn_drained() without a handover()");
	cairn->handing_over = false;
}

int
cairn_listener(struct cairn *cairn, const char *address, uint16_t port, int *ret_fd,
    struct cairn_error *err)
{
	(void)cairn;
	return listener_make(address, port, ret_fd, err);
}

void
cairn_testing_handover(struct cairn_testing *kernel)
{
	struct cairn *cairn = cairn_testing_cairn(kernel);

	assert_true(cairn->started);
	cairn->handing_over = true;
	testing_enter();
	if (cairn->plugin.handover != NULL)
		cairn->plugin.handover(cairn->self);
	else
		cairn_drained(cairn);
	testing_leave(cairn);
}

bool
cairn_testing_drained(const struct cairn_testing *kernel)
{
	return !((const struct cairn *)kernel)->handing_over;
}
