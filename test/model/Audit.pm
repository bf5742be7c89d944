# What must hold of a ledger at rest, whoever did what to it at the same time.
package Audit;

use strict;
use warnings;

# Returns what is wrong, a line each.
sub wrongs
{
	my ($session) = @_;
	return (
		(map { "check_ledger: $_" } $session->rows("SELECT * FROM backorder.check_ledger('shop');")),
		(map { "stock is idle while somebody waits: $_" } $session->rows(
			'SELECT s.item, s.location, s.available, s.backordered FROM stock AS s JOIN item AS i ON i.item = s.item'
			  . ' WHERE s.available > 0 AND s.backordered > 0 AND i.auto_allocate;')),
		(map { "oversold: $_" } $session->rows(
			'SELECT item, location, available, allocated, on_hand FROM stock WHERE available < 0 OR allocated < 0;')),
		queue_jumpers($session));
}

# The journal, done again row by row: whoever was filled was first of those who
# waited at that moment.  Only people (reallocate) and shipments say whom they serve.
sub queue_jumpers
{
	my ($session) = @_;
	my (%queue, @wrong);
	for my $row ($session->rows('SELECT journal_id, kind, cause, item, location, quantity, backorder_id, priority,'
		  . ' (extract(epoch FROM rank_at) * 1000000)::bigint FROM journal WHERE backorder_id IS NOT NULL ORDER BY journal_id;'))
	{
		my ($id, $kind, $cause, $item, $location, $quantity, $backorder, $priority, $rank_at) = split /\|/, $row, -1;
		my $waiting = $queue{"$item\t$location"} //= {};
		if ($kind eq 'backordered')
		{
			$waiting->{$backorder} = { id => $backorder, left => $quantity, priority => $priority, rank_at => $rank_at };
			next;
		}
		my $it = $waiting->{$backorder} or do { push @wrong, "journal row $id: backorder $backorder does not wait"; next };
		if ($kind eq 'reranked') { @$it{qw(priority rank_at)} = ($priority, $rank_at); next }
		next unless $kind eq 'filled' || $kind eq 'cancelled';
		if ($kind eq 'filled' && $cause !~ /^(reallocated|shipment)$/)
		{
			my ($first) = sort { $b->{priority} <=> $a->{priority} || $a->{rank_at} <=> $b->{rank_at} || $a->{id} <=> $b->{id} } values %$waiting;
			push @wrong, "journal row $id: backorder $backorder was filled before backorder $first->{id}" if $first != $it;
		}
		$it->{left} -= $quantity;
		delete $waiting->{$backorder} if abs($it->{left}) < 1e-9;
		push @wrong, "journal row $id: backorder $backorder got more than it waited for" if $it->{left} < -1e-9;
	}
	return @wrong;
}

1;
