// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/live/detail.h"

#include <stdlib.h>

void detail_free(struct detail *d)
{
	free(d->mappings);
	free(d->partners);
	free(d->reasons);
	*d = (struct detail){ 0 };
}
