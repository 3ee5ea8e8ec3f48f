// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct shown show_bytes(int64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	struct shown out;
	double size = fabs((double)bytes);
	unsigned int unit = 0;

	while (size >= 999.5 && unit < 6) {
		size /= 1024;
		unit++;
	}
	int digits = unit == 0 ? 0 : size < 9.995 ? 2 : size < 99.95 ? 1 : 0;
	snprintf(out.text, sizeof(out.text), "%s%.*f %s", bytes < 0 ? "-" : "", digits, size, units[unit]);
	return out;
}

struct shown show_count(uint64_t count)
{
	struct shown out;
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, count), used = 0;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			out.text[used++] = ',';
		out.text[used++] = digits[i];
	}
	out.text[used] = '\0';
	return out;
}

struct shown show_seconds(double s)
{
	struct shown out;
	if (!isfinite(s) || s < 0)
		snprintf(out.text, sizeof(out.text), "unknown");
	else if (s < 0.9995)
		snprintf(out.text, sizeof(out.text), "%.0f ms", s * 1000);
	else if (s < 9.95)
		snprintf(out.text, sizeof(out.text), "%.1f s", s);
	else if (s < 59.5)
		snprintf(out.text, sizeof(out.text), "%.0f s", s);
	else if (s < 3599.5)
		snprintf(out.text, sizeof(out.text), "%d min %d s", (int)(s + .5) / 60, (int)(s + .5) % 60);
	else if (s < 86370)
		snprintf(out.text, sizeof(out.text), "%d h %d min", (int)(s / 60 + .5) / 60, (int)(s / 60 + .5) % 60);
	else if (s < 86400.0 * 36500)
		snprintf(out.text, sizeof(out.text), "%d d %d h", (int)(s / 3600 + .5) / 24, (int)(s / 3600 + .5) % 24);
	else
		snprintf(out.text, sizeof(out.text), "over a century");
	return out;
}

struct shown show_share(double part, double whole)
{
	struct shown out;
	if (!(whole > 0))
		snprintf(out.text, sizeof(out.text), "-");
	else
		snprintf(out.text, sizeof(out.text), "%.1f %%", 100 * part / whole);
	return out;
}
