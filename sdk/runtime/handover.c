/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/listener.h"
#include "runtime/private.h"

void
cairn_drained(struct cairn *cairn)
{
	Cairn__Envelope envelope = CAIRN__ENVELOPE__INIT;

	if (!cairn->handing_over)
		return; /* stop() may have come before */
	cairn->handing_over = false;
	jobs_flush(cairn);
	envelope.kind = CAIRN__ENVELOPE__KIND__DRAINED;
	runtime_answer(cairn, &envelope);
}

void
runtime_handover(struct cairn *cairn)
{
	if (cairn->state != RUNTIME_RUNNING || cairn->handing_over)
		return;
	cairn->handing_over = true;
	if (cairn->plugin.handover != NULL)
		cairn->plugin.handover(cairn->self);
	else
		cairn_drained(cairn);
}

int
cairn_listener(
    struct cairn *cairn, const char *address, uint16_t port, int *ret_fd, struct cairn_error *err)
{
	(void)cairn;
	return listener_is_peer(RUNTIME_LISTENER_FD)
	    ? listener_ask(RUNTIME_LISTENER_FD, address, port, ret_fd, err)
	    : listener_make(address, port, ret_fd, err);
}
