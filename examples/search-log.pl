#!/usr/bin/perl
# /// stagedoor
# title = "Search a log"
# description = "Prints the lines of a log that hold a text, with what stands around them."
# tags = ["logs", "search"]
# order = 20
# access = { run = ["everyone"] }
# timeout = "1m"
# success_exit = [0, 1]
#
# [[param]]
# name = "log"
# title = "Which log"
# choices = [{ value = "shop.log", label = "Web shop" }, { value = "mail.log", label = "Mail" }]
# default = "shop.log"
#
# [[param]]
# name = "text"
# title = "Look for"
# example = "timed out"
# option = "--text="
# required = true
# max_length = 200
#
# [[param]]
# name = "context"
# title = "Lines around each hit"
# type = "integer"
# option = "--context="
# default = 0
# min = 0
# max = 20
#
# [[param]]
# name = "case"
# title = "Capitals matter"
# type = "flag"
# option = "--case"
# advanced = true
#
# [[param]]
# name = "regex"
# title = "The text is a regular expression"
# type = "flag"
# option = "--regex"
# advanced = true
# ///
# Needs: perl (Debian's perl-base is enough).
use strict;
use warnings;
use Getopt::Long;

my ($text, $context, $case, $regex) = ('', 0, 0, 0);
GetOptions('text=s' => \$text, 'context=i' => \$context, 'case' => \$case, 'regex' => \$regex)
    or exit 2;
my $log = shift @ARGV // 'shop.log';

# Without --regex the text is only text. Code inside an expression, (?{ … }), stays forbidden.
my $source = $regex ? $text : quotemeta $text;
my $pattern = eval { $case ? qr/$source/ : qr/$source/i };
if (!defined $pattern) {
    print STDERR "This is no regular expression: $text\n";
    exit 2;
}

open my $file, '<', "data/$log" or do {
    print STDERR "I cannot read data/$log: $!\n";
    exit 3;
};
my @lines = <$file>;
close $file;

my $shown = -1;    # the last line printed, so that neighbours are not printed twice
my $hits  = 0;
for my $at (0 .. $#lines) {
    next if $lines[$at] !~ $pattern;
    $hits++;
    my $from = $at - $context;
    my $to   = $at + $context;
    $from = $shown + 1 if $from <= $shown;
    $to   = $#lines    if $to > $#lines;
    print "--\n" if $context && $shown >= 0 && $from > $shown + 1;
    printf "%5d  %s", $_ + 1, $lines[$_] for $from .. $to;
    $shown = $to if $to > $shown;
}
printf "\n%d of %d lines match.\n", $hits, scalar @lines;
exit($hits ? 0 : 1);    # as grep does; the definition counts both as success
