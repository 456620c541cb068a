/* SPDX-License-Identifier: Apache-2.0 */
#include "objects/put_list.h"

void
objects_put_list_add(struct put_list *list, struct objects_put *put)
{
	put->next = NULL;
	if (list->last != NULL)
		list->last->next = put;
	else
		list->first = put;
	list->last = put;
	list->count++;
}

void
objects_put_list_join(struct put_list *list, struct put_list *more)
{
	if (more->first == NULL)
		return;
	if (list->last != NULL)
		list->last->next = more->first;
	else
		list->first = more->first;
	list->last = more->last;
	list->count += more->count;
	*more = (struct put_list){0};
}

struct objects_put *
objects_put_list_take(struct put_list *list)
{
	struct objects_put *put = list->first;

	list->first = put->next;
	if (list->first == NULL)
		list->last = NULL;
	list->count--;
	put->next = NULL;
	return put;
}
