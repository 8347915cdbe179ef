#!/usr/bin/perl
# /// stagedoor
# title = "Arguments and environment"
# description = "Prints every argument, environment variable and line of standard input as **hexadecimal bytes**, so that you see exactly what reaches a script."
# order = 10
#
# [[param]]
# name = "free"
# title = "A word that may begin with a dash"
# allow_leading_dash = true
# pass_empty = true
# required = false
# max_length = 200000
#
# [[param]]
# name = "plain"
# title = "A word that may not"
# option = "--plain"
# max_length = 200000
#
# [[param]]
# name = "glued"
# title = "A value glued to its option"
# option = "--glued="
#
# [[param]]
# name = "each"
# title = "Several values"
# option = "--each"
# multiple = "repeat"
#
# [[param]]
# name = "joined"
# title = "Several values in one word"
# option = "--joined="
# multiple = "join"
#
# [[param]]
# name = "variable"
# title = "An environment variable"
# pass = "env"
# allow_leading_dash = true
#
# [[param]]
# name = "line"
# title = "A line of standard input"
# pass = "stdin"
# allow_leading_dash = true
#
# [[param]]
# name = "lines"
# title = "Several lines in one argument"
# type = "multiline"
# option = "--lines"
# allow_leading_dash = true
# max_length = 200000
#
# [[param]]
# name = "long"
# title = "A long text in a private file"
# type = "multiline"
# pass = "file"
# option = "--long"
# max_length = 1000000
#
# [[param]]
# name = "fixed"
# option = "--fixed="
# value = "set by the author"
# ///
# Needs: perl. Nothing is decoded: these are the bytes that the kernel handed over.
use strict;
use warnings;

sub hex_of { return unpack 'H*', $_[0] }

for my $at (0 .. $#ARGV) {
    printf "argument %d %s\n", $at, hex_of($ARGV[$at]);
    # A private file's name differs from run to run; its content is what matters.
    next if $at == 0 || $ARGV[$at - 1] ne '--long';
    if (open my $file, '<:raw', $ARGV[$at]) {
        local $/ = undef;
        printf "file %s\n", hex_of(scalar <$file>);
    }
}
printf "environment %s=%s\n", $_, hex_of($ENV{$_}) for sort keys %ENV;
binmode STDIN;
printf "input %s\n", hex_of($_) while defined($_ = <STDIN>);
