/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger: what each huge page hides, counted without breaking any. And
 * how much of it comes to light when some of them are broken and others kept.
 *
 * With copies b of a content in base pages and h in regions, all of one trust
 * domain, merging frees f(n) = n − ⌈n/M⌉ frames of n copies, M being
 * max_page_sharing. Attributed: each of the h copies carries
 * (f(b + h) − f(b)) / h, its Shapley value, so that shares add up to what
 * breaking all regions frees. Marginal: what a region adds when those before
 * it in some order are broken already and those after it are not; a lone copy
 * adds nothing, its second one a frame.
 *
 * A frame full of zeros is freed by the split itself on kernels that do so
 * (sample.machine.split_frees_zero), and by use_zero_pages; else it is a
 * content like any other.
 */
#ifndef KSMSCOPE_CORE_HUGE_LEDGER_H
#define KSMSCOPE_CORE_HUGE_LEDGER_H

#include "core/count/tally.h"
#include "core/huge/region.h"

/*
 * Of a sample whose frames were grouped (tally_group()); the lane is used up.
 * Fill in what each region holds. *ret_base_frames: what merging frees with no
 * region broken. Copies above 65535 of a content are not told apart (an error
 * below 2 in 100,000 of their share). 0 or -ENOMEM.
 */
int ledger_count(const struct sample *sample, struct region *regions, size_t count, uint64_t *ret_base_frames);

/*
 * Break the regions in the given order of indices: ret_frames[i] is what the
 * i-th of them frees when the i before it are broken. 0 or -ENOMEM.
 */
int ledger_marginal(const struct sample *sample, const struct region *regions, const uint32_t *order, size_t count,
		    double *ret_frames);

#endif
