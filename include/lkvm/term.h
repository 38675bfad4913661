/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_TERM_H
#define LKVM_TERM_H

/*
 * lkvm's own standard input and output, as the far end of the guest's console.  Input waits in a
 * buffer until the console wants it.  Loop lock held, or set-up.
 *
 * The console is the serial port unless another device takes the terminal.  The port is then still
 * there for what a kernel prints early, on stderr, and without input.
 */

#include "lkvm/util.h"

/* @fn is called when input may have arrived; once, before MODULE_LATE. */
void term__on_input(void (*fn)(void *arg), void *arg);
/* Called when output that was held back has room again. */
void term__on_room(void (*fn)(void *arg), void *arg);

/* One byte of input; false if there is none (now). */
bool term__getc(u8 *c);

/*
 * Output; goes out at the end of a line, when the buffer fills, or a few milliseconds later.
 * Nothing is lost as long as term__room() was asked, or whoever reads our output keeps up.
 */
void term__putc(u8 c);
bool term__room(void);

/* A device takes the terminal; while options are parsed. */
void term__take(void);
bool term__taken(void);
/* The serial port's output then: a line at a time, and lost while stderr takes none. */
void term__err_putc(u8 c);

#endif
