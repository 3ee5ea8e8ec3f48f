// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe/fault_table.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 256	/* a power of two, as all after it */

void fault_table_free(struct fault_table *table)
{
	free(table->slots);
	free(table->index);
	memset(table, 0, sizeof(*table));
}

/* Where a process is, or the free place where it belongs. */
static uint32_t *place_of(const struct fault_table *table, pid_t pid)
{
	size_t mask = table->room * 2 - 1;
	size_t at = (size_t)((uint32_t)pid * 2654435769u) & mask;

	while (table->index[at] && table->slots[table->index[at] - 1].pid != pid)
		at = (at + 1) & mask;
	return &table->index[at];
}

static void index_all(struct fault_table *table)
{
	memset(table->index, 0, table->room * 2 * sizeof(*table->index));
	for (size_t i = 0; i < table->count; i++)
		*place_of(table, table->slots[i].pid) = (uint32_t)i + 1;
}

/* For so many slots, a power of two that those in use fit into. False, and nothing changed, when memory is out. */
static bool resize(struct fault_table *table, size_t room)
{
	uint32_t *index = calloc(room * 2, sizeof(*index));
	struct fault_slot *slots = index ? realloc(table->slots, room * sizeof(*slots)) : NULL;

	if (!slots) {
		free(index);
		return false;
	}
	free(table->index);
	table->index = index;
	table->slots = slots;
	table->room = room;
	index_all(table);
	return true;
}

/* What a crowd needed is given back when it has gone; not so soon that a crowd that comes and goes would cost. */
static void shrink(struct fault_table *table)
{
	size_t room = table->room;

	while (room > FIRST_ROOM && table->count < room / 4)
		room /= 2;
	if (room == table->room || !resize(table, room))
		index_all(table);
}

static struct fault_slot *slot_of(struct fault_table *table, pid_t pid)
{
	if (table->count == table->room && !resize(table, table->room ? table->room * 2 : FIRST_ROOM))
		return NULL;
	uint32_t *place = place_of(table, pid);
	if (!*place) {
		table->slots[table->count] = (struct fault_slot){ .pid = pid };
		table->slots[table->count++].sums[PERIOD_NOW].events.all = -1;
		*place = (uint32_t)table->count;
	}
	return &table->slots[*place - 1];
}

static struct fault_counts difference(const struct fault_counts *now, const struct fault_counts *before)
{
	struct fault_counts delta = {
		.in_kernel = now->in_kernel - before->in_kernel,
		.arrivals.hashed = now->arrivals.hashed - before->arrivals.hashed,
		.arrivals.zero = now->arrivals.zero - before->arrivals.zero,
		.arrivals.duplicate = now->arrivals.duplicate - before->arrivals.duplicate,
	};
	for (int i = 0; i < FAULT_KINDS; i++)
		delta.kind[i] = now->kind[i] - before->kind[i];
	return delta;
}

bool fault_table_see(struct fault_table *table, pid_t pid, const struct fault_counts *now)
{
	struct fault_slot *slot = slot_of(table, pid);

	if (!slot)
		return false;
	slot->delta = difference(now, &slot->before);
	slot->before = *now;
	slot->fresh = true;
	return true;
}

static void add_arrivals(struct fault_arrivals *to, const struct fault_arrivals *more)
{
	to->hashed += more->hashed;
	to->zero += more->zero;
	to->duplicate += more->duplicate;
}

static void add_events(struct fault_sums *to, const struct fault_counts *delta, const struct duty_window *window)
{
	uint64_t counts[DUTY_KINDS] = {};

	memcpy(counts, delta->kind, sizeof(delta->kind));
	duty_add_counts(&to->events, window, counts);
	add_arrivals(&to->arrivals, &delta->arrivals);
	to->in_kernel += delta->in_kernel;
}

static void add_delta(struct fault_counts *to, const struct fault_counts *delta)
{
	for (int i = 0; i < FAULT_KINDS; i++)
		to->kind[i] += delta->kind[i];
	to->in_kernel += delta->in_kernel;
	add_arrivals(&to->arrivals, &delta->arrivals);
}

static uint64_t events(const struct fault_counts *counts)
{
	uint64_t sum = 0;
	for (int i = 0; i < FAULT_KINDS; i++)
		sum += counts->kind[i];
	return sum;
}

void fault_table_close_window(struct fault_table *table, double seconds)
{
	struct fault_counts all = {};

	for (size_t i = 0; i < table->count; i++)
		if (table->slots[i].fresh)
			add_delta(&all, &table->slots[i].delta);
	struct duty_window window = { .seconds = seconds, .machine = (double)all.kind[FAULT_COW_MERGED] };
	for (size_t i = 0; i < table->count; i++) {
		struct fault_slot *slot = &table->slots[i];
		if (slot->fresh)
			add_events(&slot->sums[PERIOD_NOW], &slot->delta, &window);
		slot->fresh = false;
	}
	add_events(&table->machine.sums[PERIOD_NOW], &all, &window);
	duty_add_window(&table->total[PERIOD_NOW], &window);
	table->consumed += events(&all);
	table->hashed += all.arrivals.hashed;
}

static void begin_slot(struct fault_slot *slot)
{
	slot->sums[PERIOD_NOW] = (struct fault_sums){ .events.all = -1 };
}

void fault_table_begin(struct fault_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		begin_slot(&table->slots[i]);
	begin_slot(&table->machine);
	table->total[PERIOD_NOW] = (struct duty_total){ .machine = -1 };
}

bool fault_table_know(struct fault_table *table, pid_t pid, uint64_t start_ticks, double faults)
{
	struct fault_slot *slot;

	if (faults <= 0 && !(table->room && *place_of(table, pid)))
		return true;
	slot = slot_of(table, pid);
	if (!slot)
		return false;
	if (slot->start_ticks && slot->start_ticks != start_ticks)
		memset(&slot->sums[PERIOD_RECENT], 0, 2 * sizeof(*slot->sums));
	slot->unlisted = 0;
	slot->start_ticks = start_ticks;
	slot->sums[PERIOD_NOW].events.all = faults;
	return true;
}

static void add_sums(struct fault_sums *to, const struct fault_sums *more)
{
	duty_process_add(&to->events, &more->events);
	add_arrivals(&to->arrivals, &more->arrivals);
	to->in_kernel += more->in_kernel;
}

void fault_table_end(struct fault_table *table, double seconds, double machine_faults, double machine_cow)
{
	table->total[PERIOD_NOW].seconds = seconds;
	table->total[PERIOD_NOW].machine = machine_cow;
	table->machine.sums[PERIOD_NOW].events.all = machine_faults;
	for (size_t i = 0; i < table->count; i++)
		add_sums(&table->slots[i].sums[PERIOD_RECENT], &table->slots[i].sums[PERIOD_NOW]);
	add_sums(&table->machine.sums[PERIOD_RECENT], &table->machine.sums[PERIOD_NOW]);
	duty_total_add(&table->total[PERIOD_RECENT], &table->total[PERIOD_NOW]);
}

static struct fault_process copy_slot(const struct fault_slot *slot)
{
	struct fault_sums horizon = slot->sums[PERIOD_BEFORE];

	add_sums(&horizon, &slot->sums[PERIOD_RECENT]);
	return (struct fault_process){
		.pid = slot->pid,
		.now = slot->sums[PERIOD_NOW].events,
		.horizon = horizon.events,
		.arrivals = horizon.arrivals,
		.in_kernel = slot->sums[PERIOD_NOW].in_kernel,
	};
}

bool fault_table_copy(const struct fault_table *table, struct fault_interval *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->processes = calloc(table->count ? table->count : 1, sizeof(*ret->processes));
	if (!ret->processes)
		return false;
	for (size_t i = 0; i < table->count; i++)
		ret->processes[ret->count++] = copy_slot(&table->slots[i]);
	ret->now = table->total[PERIOD_NOW];
	ret->horizon = table->total[PERIOD_BEFORE];
	duty_total_add(&ret->horizon, &table->total[PERIOD_RECENT]);
	ret->machine = copy_slot(&table->machine);
	return true;
}

static bool had_events(const struct fault_slot *slot)
{
	const struct duty_process *recent = &slot->sums[PERIOD_RECENT].events;
	return recent->active || recent->all > 0;
}

static bool is_there(const struct fault_slot *slot)
{
	return slot->unlisted < FAULT_TABLE_ENDED;
}

static void keep_only(struct fault_table *table, bool (*keep)(const struct fault_slot *slot),
		      void (*dropped)(pid_t pid, void *context), void *context)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (keep(&table->slots[i]))
			table->slots[kept++] = table->slots[i];
		else
			dropped(table->slots[i].pid, context);
	}
	if (kept == table->count)
		return;
	table->count = kept;
	shrink(table);
}

void fault_table_forget_ended(struct fault_table *table, void (*dropped)(pid_t pid, void *context), void *context)
{
	keep_only(table, is_there, dropped, context);
	for (size_t i = 0; i < table->count; i++)
		table->slots[i].unlisted++;
}

static void move_slot_on(struct fault_slot *slot)
{
	slot->sums[PERIOD_BEFORE] = slot->sums[PERIOD_RECENT];
	memset(&slot->sums[PERIOD_RECENT], 0, sizeof(*slot->sums));
}

void fault_table_move_on(struct fault_table *table, void (*dropped)(pid_t pid, void *context), void *context)
{
	keep_only(table, had_events, dropped, context);
	for (size_t i = 0; i < table->count; i++)
		move_slot_on(&table->slots[i]);
	move_slot_on(&table->machine);
	table->total[PERIOD_BEFORE] = table->total[PERIOD_RECENT];
	table->total[PERIOD_RECENT] = (struct duty_total){};
}
