/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope guards: what a function acquires it gives back on every way out. */
#ifndef KSMSCOPE_BASE_CLEANUP_H
#define KSMSCOPE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <dirent.h>

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_closedir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define scoped_free __attribute__((cleanup(cleanup_free)))
#define scoped_fd __attribute__((cleanup(cleanup_close)))
#define scoped_file __attribute__((cleanup(cleanup_fclose)))
#define scoped_dir __attribute__((cleanup(cleanup_closedir)))

#endif
