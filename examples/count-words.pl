#!/usr/bin/perl
# Needs: perl. The definition stands beside this file, in count-words.pl.stagedoor.toml: the way
# to publish a program that you may not edit.
use strict;
use warnings;
use open qw(:std :encoding(UTF-8));

my ($top, $path) = @ARGV;
open my $file, '<', $path or do {
    print STDERR "I cannot read the text: $!\n";
    exit 1;
};
my ($lines, $words, $characters, %count) = (0, 0, 0);
while (my $line = <$file>) {
    $lines++;
    $characters += length $line;
    for my $word ($line =~ /[\w']+/g) {
        $words++;
        $count{lc $word}++;
    }
}
printf "%d lines, %d words, %d characters\n\n", $lines, $words, $characters;
my @often = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
splice @often, $top if @often > $top;
printf "%6d  %s\n", $count{$_}, $_ for @often;
