#!/usr/bin/perl
# /// stagedoor
# title = "Much output"
# description = "Prints numbered lines as fast as it can."
# order = 40
# limits = { output = "256MiB" }
#
# [[param]]
# name = "megabytes"
# type = "integer"
# option = "--megabytes="
# default = 1
# min = 1
# max = 200
#
# [[param]]
# name = "errors"
# title = "Every tenth line to the error stream"
# type = "flag"
# option = "--errors"
# ///
# Needs: perl.
use strict;
use warnings;

my ($megabytes, $errors) = (1, 0);
for my $word (@ARGV) {
    if ($word =~ /\A--megabytes=(\d+)\z/) { $megabytes = $1 }
    elsif ($word eq '--errors')           { $errors    = 1 }
    else { print STDERR "I do not know the option $word.\n"; exit 2 }
}

# One line is 50 bytes, so a megabyte is 20,000 of them.
my $filler = 'abcdefghijklmnopqrstuvwxyz-0123456789';
for my $block (0 .. $megabytes * 20 - 1) {
    my ($out, $err) = ('', '');
    for my $line ($block * 1000 + 1 .. $block * 1000 + 1000) {
        my $text = sprintf "%010d  %s\n", $line, $filler;
        if ($errors && $line % 10 == 0) { $err .= $text }
        else                            { $out .= $text }
    }
    print STDOUT $out or exit 1;
    print STDERR $err or exit 1;
}
