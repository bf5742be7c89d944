# A seeded generator of random operations.  Each is a hash:
#   name    what it is
#   sql     the statement
#   apply   does the same to the model; returns the rows the statement must answer
#           (in any order), or undef where the answer is not compared
#   state   for a statement that is wrong in itself: the SQLSTATE it must fail with
#   constraint  and, where it matters, the name of the constraint
#   set     rules and policies that it sets, for Oracle::set, ahead of apply
#   alone   must begin a transaction; before: SQL to run ahead of that transaction
#   apply and state hold for the model as it is when the statement is done, which may be another
#           than when it was made up: lines are looked up again
#   keep    must not be rolled back
# What an operation does is decided by the seed and by the model's state alone.
package Workload;

use strict;
use warnings;

use JSON::PP;
use Oracle;

use constant DAY => 86_400_000_000;
use constant START => 1_704_067_200_000_000;    # 2024-01-01

# What the ledger must look like: the same rows as Oracle::state_rows.
use constant STATE_QUERY => <<'SQL';
SELECT concat_ws('|', 'stock', item, location, trim_scale(on_hand), trim_scale(available),
	trim_scale(allocated), trim_scale(backordered)) AS r
FROM stock WHERE on_hand <> 0 OR backordered <> 0
UNION ALL
SELECT concat_ws('|', 'queue', item, location,
	row_number() OVER (PARTITION BY item, location ORDER BY priority DESC, rank_at, backorder_id),
	order_id, line_no, trim_scale(remaining), priority, (extract(epoch FROM rank_at) * 1000000)::bigint, cause)
FROM backorder WHERE closed_at IS NULL
UNION ALL
SELECT concat_ws('|', 'line', order_id, line_no, item, location, trim_scale(quantity), trim_scale(firm),
	trim_scale(allocated), trim_scale(backordered), trim_scale(shipped), trim_scale(cancelled),
	trim_scale(backordered_at_entry), trim_scale(coalesce(entered_quantity, quantity)), on_hold,
	coalesce((extract(epoch FROM entered_at) * 1000000)::bigint::text, ''))
FROM order_line_status
SQL

my $json = JSON::PP->new->canonical;

my @customers = (qw(ann bob carl dora vip_eve vip_finn), undef);
my @locations = qw(main main main main east west);
my %items = (
	anvil => {}, bolt => {}, cable => { unit_price => 25_000 }, drill => { on_short => 'cancel' }, easel => { limit => 20_000 },
	flour => {}, grain => {}, hinge => { auto => 0 });

# Conditions, once for the ledger and once for the model.
my @conditions = (
	[ '$.attributes.segment == "Corporate"', sub { ($_[0]{attributes}{segment} // '') eq 'Corporate' } ],
	[ '$.attributes.ship_mode == "Same Day"', sub { ($_[0]{attributes}{ship_mode} // '') eq 'Same Day' } ],
	[ '$.customer starts with "vip"', sub { ($_[0]{customer} // '') =~ /^vip/ } ],
	[ '$.value >= 100', sub {
		my ($line, $item) = @_;
		return $line->{quantity} * ($line->{unit_price} // $item->{unit_price} // 0) >= 100 * 1e6;
	} ],
	[ '$.quantity > 6', sub { $_[0]{quantity} > 6000 } ],
	[ '$.location == "east" || $.item == "bolt"', sub { $_[0]{location} eq 'east' || $_[0]{item} eq 'bolt' } ],
	[ '$.demand_class == "preorder"', sub { $_[0]{demand_class} eq 'preorder' } ],
);

# How often each operation is chosen.
my @weights = (
	insert => 14, copy => 4, merge => 4, upsert_nothing => 3, upsert => 4, view_insert => 6, place_order => 6,
	two_tables => 2, receipt => 14, receipts => 5, receive => 8, loss => 6, count => 4, transfer => 4,
	ship => 8, ship_function => 4, ship_waiting => 5, unship => 4, mixed_moves => 8,
	cancel => 5, cancel_lines => 3, cancel_function => 5, cancel_order => 3, edit_quantity => 9, edit_columns => 8, edit_order => 5, view_update => 4,
	hold => 4, place_held => 4, release => 5, due => 2, edit_held => 3, delete_held => 2, move_line => 4,
	rerank => 5, rule => 4, reprioritize => 4, policy => 3, auto_off => 4, auto_on => 3, allocate => 6,
	reallocate => 3, firm => 4, nothing => 1, wrong => 10);

sub new
{
	my ($class, $seed, $model) = @_;
	srand $seed;
	my @choices = @weights;
	my (@names, $sum);
	while (my ($name, $weight) = splice @choices, 0, 2) { push @names, ($name) x $weight }
	return bless { model => $model, names => \@names, clock => START, orders => 0, next => [] }, $class;
}

# The items and locations, in the ledger (as SQL) and in the model.
sub prepare
{
	my ($w) = @_;
	my $m = $w->{model};
	$m->{location}{$_} = 1 for @locations;
	$m->{item}{$_} = { on_short => 'backorder', limit => undef, auto => 1, unit_price => undef, %{ $items{$_} } } for keys %items;
	return join '', "INSERT INTO location VALUES ('east'), ('west');\n", map {
		my $i = $m->{item}{$_};
		sprintf "INSERT INTO item (item, on_short, backorder_limit, auto_allocate, unit_price) VALUES (%s);\n",
		  list(quote($_), quote($i->{on_short}), quantity($i->{limit}), $i->{auto} ? 'true' : 'false', quantity($i->{unit_price}))
	} sort keys %items;
}

sub operation
{
	my ($w) = @_;
	# odd, so that no two claims have the same time by chance
	$w->{clock} += 7 * 60_000_000 + 1;
	return shift @{ $w->{next} } if @{ $w->{next} };
	while (1)
	{
		my $name = pick(@{ $w->{names} });
		my $operation = $w->$name or next;    # nothing to do it with
		$operation->{name} = $name;
		return $operation;
	}
}

# ---- chance

sub pick { return $_[ int rand @_ ] }
sub chance { return rand() < $_[0] }
sub between { my ($low, $high) = @_; return $low + int rand($high - $low + 1) }

# Lines that fit, and one of them.
sub lines
{
	my ($w, $fits) = @_;
	my ($lines, $seen) = ($w->{model}{line}, $w->{seen});
	return grep { $fits->($_) } @$lines{ grep { !$seen || $seen->{$_} } sort keys %$lines };
}

sub line { my ($w, $fits) = @_; my @lines = $w->lines($fits) or return; return pick(@lines) }

sub is_open { return Oracle::open_quantity($_[0]) > 0 }
sub is_entered { return defined $_[0]{entered_at} && !$_[0]{on_hold} }
sub is_waiting { return Oracle::waiting($_[0]) > 0 }

sub amount
{
	my ($item, $highest) = @_;
	return 125 * between(1, 8 * $highest) if $item =~ /^(flour|grain)$/;
	return 1000 * between(1, $highest);
}

# A part of so many thousandths, at least one whole unit if there is one.
sub part
{
	my ($quantity) = @_;
	return $quantity if $quantity <= 1000 || chance(0.4);
	return 1000 * between(1, int($quantity / 1000));
}

sub earlier { my ($w) = @_; return $w->{clock} - (chance(0.3) ? DAY * between(0, 12) : 0) }

# ---- SQL

sub quote { my ($text) = @_; return 'NULL' unless defined $text; $text =~ s/'/''/g; return "'$text'" }
sub quantity { my ($n) = @_; return defined $n ? Oracle::decimal($n) : 'NULL' }
sub list { return join ', ', @_ }

sub moment
{
	my ($t) = @_;
	return 'NULL' unless defined $t;
	return "'infinity'" if $t >= Oracle::INFINITY;
	my @g = gmtime int($t / 1_000_000);
	return sprintf "'%04d-%02d-%02d %02d:%02d:%02d.%06d+00'", $g[5] + 1900, $g[4] + 1, @g[ 3, 2, 1, 0 ], $t % 1_000_000;
}

sub where_line { my ($line) = @_; return 'order_id = ' . quote($line->{order_id}) . " AND line_no = $line->{line_no}" }

my %as_sql = (
	(map { $_ => \&quote } qw(order_id item location customer on_short demand_class)),
	(map { $_ => \&quantity } qw(quantity unit_price cancelled firm)),
	(map { $_ => \&moment } qw(placed_at not_before required_by)),
	attributes => sub { return quote($json->encode($_[0])) },
	line_no => sub { return $_[0] },
	priority => sub { return $_[0] },
);
my @columns = qw(order_id line_no item location quantity customer attributes unit_price placed_at not_before
  priority on_short demand_class);

sub values_of
{
	my ($row, @names) = @_;
	return map { $as_sql{$_}->($row->{$_}) } @names;
}

# placed_at stays out where the row has none: the default is now().
sub tuples
{
	my (@rows) = @_;
	return join ",\n", map {
		my @values = values_of($_, @columns);
		$values[8] = 'DEFAULT' unless defined $_->{placed_at};
		'(' . list(@values) . ')'
	} @rows;
}

sub assignments
{
	my ($new) = @_;
	return list(map { "$_ = " . $as_sql{$_}->($new->{$_}) } sort keys %$new);
}

sub update
{
	my ($line, $new, $table) = @_;
	return sprintf 'UPDATE %s SET %s WHERE %s;', $table // 'order_line', assignments($new), where_line($line);
}

sub one_change
{
	my ($line, $new, %more) = @_;
	return { sql => update($line, $new), apply => sub { my ($m, $now) = @_; $m->change($now, [ $line, $new ]); return }, %more };
}

# ---- rows

sub new_row
{
	my ($w, $order, $no, %given) = @_;
	my $item = $given{item} // pick(sort keys %items);
	my $row = {
		order_id => $order, line_no => $no, item => $item, location => pick(@locations), quantity => amount($item, 9),
		customer => pick(@customers), attributes => attributes(), unit_price => chance(0.6) ? 1000 * between(1, 40) : undef,
		placed_at => $w->earlier, not_before => undef, priority => chance(0.1) ? between(-1, 3) : 0, on_short => undef,
		demand_class => chance(0.1) ? 'preorder' : 'regular', %given };
	$row->{not_before} //= $row->{placed_at} + DAY * between(-3, 3) if chance(0.05) && !$given{due};
	$row->{on_short} //= pick(qw(backorder cancel refuse)) if chance(0.12);
	delete $row->{placed_at} if chance(0.05) && !$given{placed_at};
	return $row;
}

sub attributes
{
	my %attributes;
	$attributes{segment} = pick(qw(Consumer Corporate)) if chance(0.7);
	$attributes{ship_mode} = pick('Standard', 'Same Day') if chance(0.5);
	return \%attributes;
}

sub new_order { my ($w) = @_; return sprintf 'o%05d', ++$w->{orders} }

sub new_rows
{
	my ($w, %given) = @_;
	my $order = $w->new_order;
	my $placed_at = $w->earlier;
	my $item = pick(sort keys %items);
	# Many lines of one item in a statement show the order in which a short group is placed.
	my $few = chance(0.3);
	return map {
		my %of_line = $few ? (item => $item, location => 'main') : ();
		$w->new_row($order, $_, (chance(0.5) ? (placed_at => $placed_at) : ()), %of_line, %given)
	} 1 .. between(1, chance(0.2) ? 8 : 3);
}

sub placing
{
	my ($sql, @rows) = @_;
	return { sql => $sql, apply => sub { my ($m, $now) = @_; $m->place($now, @rows); return } };
}

# The lines of an order as they are now.
sub of_order
{
	my ($m, $one) = @_;
	return sort { $a->{line_no} <=> $b->{line_no} } grep { $_->{order_id} eq $one->{order_id} } values %{ $m->{line} };
}

sub found
{
	my ($m, @rows) = @_;
	return [ map {
		my $line = $m->{line}{ Oracle::line_key(@$_{qw(order_id line_no)}) };
		join '|', @$_{qw(order_id line_no)}, map { Oracle::decimal($_) } Oracle::allocated($line), Oracle::waiting($line)
	} @rows ];
}

# ---- orders

sub insert
{
	my ($w) = @_;
	my @rows = $w->new_rows;
	return placing('INSERT INTO order_line (' . list(@columns) . ") VALUES\n" . tuples(@rows) . ';', @rows);
}

sub copy
{
	my ($w) = @_;
	my @rows = map { +{ placed_at => $w->{clock}, %$_ } } $w->new_rows;
	my @lines = map {
		my $row = $_;
		join "\t", map {
			my $value = $as_sql{$_}->($row->{$_});
			$value =~ s/^'|'$//g;
			$value eq 'NULL' ? '\N' : $value
		} @columns
	} @rows;
	return placing('COPY order_line (' . list(@columns) . ") FROM STDIN;\n" . join("\n", @lines, '\.'), @rows);
}

# Times differ, for nobody promises in which order MERGE goes through its rows.
sub merge
{
	my ($w) = @_;
	my $n = 0;
	my @rows = map { +{ %$_, placed_at => ($_->{placed_at} // $w->{clock}) + 1_000_000 * ++$n } } $w->new_rows;
	my $line = $w->line(\&is_entered);
	my $new = $line && { quantity => Oracle::least(30_000, $line->{quantity} + 1000 * between(-2, 2)) };
	$line = undef if $line && $new->{quantity} <= 0;
	my @source = map { '(' . list(values_of($_, @columns)) . ')' } @rows, $line ? { %$line, %$new } : ();
	my $sql = 'MERGE INTO order_line AS t USING (VALUES ' . join(",\n", @source) . ') AS s (' . list(@columns) . ")\n"
	  . "ON t.order_id = s.order_id AND t.line_no = s.line_no\n"
	  . "WHEN MATCHED THEN UPDATE SET quantity = s.quantity\n"
	  . 'WHEN NOT MATCHED THEN INSERT (' . list(@columns) . ')' . "\nVALUES ("
	  . list(map {
			/_(at|before)$/ ? "s.${_}::timestamptz" : /^attr/ ? "s.${_}::jsonb" : /^unit_price/ ? "s.${_}::numeric" : "s.$_"
		} @columns) . ');';
	return { sql => $sql, apply => sub { update_and_insert(@_, $line, $new, @rows) } };
}

sub update_and_insert
{
	my ($m, $now, $line, $new, @rows) = @_;
	$m->change($now, [ $line, $new ]) if $line;
	$m->place($now, @rows);
	return;
}

sub upsert_nothing
{
	my ($w) = @_;
	my $line = $w->line(\&is_entered) or return;
	my @rows = $w->new_rows;
	my $sql = 'INSERT INTO order_line (' . list(@columns) . ") VALUES\n" . tuples($line, @rows, $rows[0])
	  . "\nON CONFLICT DO NOTHING;";
	return placing($sql, @rows);
}

sub upsert
{
	my ($w) = @_;
	my $line = $w->line(\&is_entered) or return;
	my $new = { quantity => $line->{quantity} + 1000 * between(-2, 2) };
	return if $new->{quantity} <= 0;
	my @rows = $w->new_rows;
	my $sql = 'INSERT INTO order_line (' . list(@columns) . ") VALUES\n" . tuples(@rows, { %$line, %$new })
	  . "\nON CONFLICT (order_id, line_no) DO UPDATE SET quantity = excluded.quantity;";
	return { sql => $sql, apply => sub { update_and_insert(@_, $line, $new, @rows) } };
}

# Row by row: each answers what it got.
sub view_insert
{
	my ($w) = @_;
	my @rows = map { +{ placed_at => $w->{clock}, %$_ } } $w->new_rows;
	my $sql = 'INSERT INTO order_line_status (' . list(@columns) . ") VALUES\n" . tuples(@rows)
	  . "\nRETURNING order_id, line_no, trim_scale(allocated), trim_scale(backordered);";
	return { sql => $sql, apply => sub {
		my ($m, $now) = @_;
		my @answers;
		for my $row (@rows)
		{
			$m->place($now, $row);
			push @answers, @{ found($m, $row) };
		}
		return \@answers;
	} };
}

sub place_order
{
	my ($w) = @_;
	my $order = $w->new_order;
	my $customer = pick(@customers);
	my $attributes = attributes();
	my $placed_at = $w->earlier;
	my ($n, @rows, @lines) = (0);
	for (1 .. between(1, 4))
	{
		my $row = $w->new_row($order, ++$n, customer => $customer, attributes => $attributes, placed_at => $placed_at,
			demand_class => 'regular', due => 1);
		push @rows, $row;
		my %line = (item => $row->{item}, location => $row->{location}, priority => $row->{priority});
		$line{quantity} = Oracle::decimal($row->{quantity});
		$line{unit_price} = Oracle::decimal($row->{unit_price}) if $row->{unit_price};
		$line{on_short} = $row->{on_short} if $row->{on_short};
		push @lines, \%line;
	}
	my $text = $json->encode(\@lines);
	$text =~ s/"(quantity|unit_price|priority)":"([^"]+)"/"$1":$2/g;
	my $sql = sprintf 'SELECT order_id, line_no, trim_scale(allocated), trim_scale(backordered) FROM place_order(%s, %s, '
	  . 'customer => %s, attributes => %s, placed_at => %s);', quote($order), quote($text), quote($customer),
	  quote($json->encode($attributes)), moment($placed_at);
	return { sql => $sql, apply => sub { my ($m, $now) = @_; $m->place($now, @rows); return found($m, @rows) } };
}

# Two statements' worth in one: an order, and a receipt of something else.
sub two_tables
{
	my ($w) = @_;
	my @rows = $w->new_rows(item => 'anvil');
	my $sql = 'WITH o AS (INSERT INTO order_line (' . list(@columns) . ') VALUES ' . tuples(@rows) . " RETURNING 1)\n"
	  . sprintf "INSERT INTO stock_move (item, location, quantity, moved_at) VALUES ('bolt', 'main', 7, %s);", moment($w->{clock});
	return { sql => $sql, apply => sub {
		my ($m, $now) = @_;
		$m->place($now, @rows);
		$m->move('receipt', 'bolt', 'main', 7000);
		return;
	} };
}

# ---- stock

# The moves of a statement are done in the order of their times, then of the rows.
sub moves
{
	my ($w, @moves) = @_;
	$_->[5] //= $w->{clock} for @moves;
	my $sql = "INSERT INTO stock_move (kind, item, location, quantity, order_id, line_no, moved_at) VALUES\n"
	  . join(",\n", map {
		my ($kind, $item, $location, $quantity, $line, $moved_at) = @$_;
		'(' . list(map({ quote($_) } $kind, $item, $location), quantity($quantity), quote($line && $line->{order_id}),
			$line ? $line->{line_no} : 'NULL', moment($moved_at)) . ')'
	} @moves) . ';';
	return { sql => $sql, apply => sub {
		my ($m) = @_;
		$m->move(@$_) for sort { $a->[5] <=> $b->[5] } @moves;
		return;
	} };
}

sub coming_in
{
	my $item = pick(sort keys %items);
	return (chance(0.8) ? 'receipt' : chance(0.5) ? 'customer_return' : 'adjustment', $item, pick(@locations),
		amount($item, chance(0.3) ? 44 : 12));
}

sub receipt { my ($w) = @_; return $w->moves([ coming_in() ]) }

sub receipts { my ($w) = @_; return $w->moves(map { [ coming_in() ] } 1 .. between(2, 4)) }

sub receive
{
	my ($w) = @_;
	my (undef, $item, $location, $quantity) = coming_in();
	my $sql = sprintf 'SELECT order_id, line_no, trim_scale(quantity) FROM receive(%s, %s, location => %s, moved_at => %s);',
	  quote($item), quantity($quantity), quote($location), moment($w->{clock});
	return { sql => $sql, apply => sub {
		my ($m) = @_;
		my %got;
		my $rest = $quantity;
		for my $fill ($m->move('receipt', $item, $location, $quantity))
		{
			my ($line, $units) = @$fill;
			$got{ join '|', @$line{qw(order_id line_no)} } += $units;
			$rest -= $units;
		}
		$got{'|'} = $rest if $rest;
		return [ map { "$_|" . Oracle::decimal($got{$_}) } keys %got ];
	} };
}

# Somewhere where there is stock.
sub stocked
{
	my ($w) = @_;
	my $groups = $w->{model}{group};
	my @groups = grep { $_->{on_hand} > 0 } @$groups{ sort keys %$groups } or return;
	return pick(@groups);
}

sub loss
{
	my ($w) = @_;
	my $group = $w->stocked or return;
	my $quantity = chance(0.05) ? $group->{on_hand} + 1000 : part(Oracle::least($group->{on_hand}, 9000));
	my $vendor = chance(0.3);
	return $w->moves([ $vendor ? 'return_to_vendor' : 'adjustment', @$group{qw(item location)}, $vendor ? $quantity : -$quantity ]);
}

sub count
{
	my ($w) = @_;
	my $group = $w->stocked or return;
	my $counted = $group->{on_hand} + 1000 * between(-4, 4);
	$counted = 0 if $counted < 0;
	my $sql = sprintf 'SELECT order_id, line_no, trim_scale(quantity) FROM record_count(%s, %s, location => %s) WHERE order_id IS NOT NULL AND difference < 0;',
	  quote($group->{item}), quantity($counted), quote($group->{location});
	return { sql => $sql, apply => sub {
		my ($m) = @_;
		my $difference = $counted - $m->group(@$group{qw(item location)})->{on_hand};
		my @lost = $difference ? $m->move('adjustment', @$group{qw(item location)}, $difference) : ();
		return $difference < 0 ? units_of(@lost) : [];
	} };
}

sub units_of
{
	my (@pairs) = @_;
	return [ map { join '|', @{ $_->[0] }{qw(order_id line_no)}, Oracle::decimal($_->[1]) } @pairs ];
}

sub transfer
{
	my ($w) = @_;
	my $group = $w->stocked or return;
	my $to = pick(grep { $_ ne $group->{location} } qw(main east west));
	my $quantity = part(Oracle::least($group->{on_hand}, 20_000));
	my $sql = sprintf 'SELECT 1 FROM transfer(%s, %s, %s, %s);', quote($group->{item}), quote($group->{location}),
	  quote($to), quantity($quantity);
	return { sql => $sql, apply => sub {
		my ($m) = @_;
		$m->move('transfer_out', @$group{qw(item location)}, $quantity);
		$m->move('transfer_in', $group->{item}, $to, $quantity);
		return;
	} };
}

# What is allocated, of one line or of several at once.
sub ship
{
	my ($w) = @_;
	my @lines = $w->lines(sub { Oracle::allocated($_[0]) > 0 }) or return;
	my %chosen = map { ($_ => $_) } map { pick(@lines) } 1 .. pick(1, 1, 3);
	my @chosen = sort { $a->{order_id} cmp $b->{order_id} || $a->{line_no} <=> $b->{line_no} } values %chosen;
	my $named = chance(0.5);
	return $w->moves(map { [ 'shipment', $named ? @$_{qw(item location)} : (undef, undef), part(Oracle::allocated($_)), $_ ] } @chosen);
}

sub ship_function
{
	my ($w) = @_;
	my $line = $w->line(sub { Oracle::allocated($_[0]) > 0 }) or return;
	my $whole = chance(0.5);
	my $quantity = $whole || chance(0.5) ? undef : part(Oracle::allocated($line));
	return if $w->{stale} && !defined $quantity;    # what is allocated is read as it was before the statement waited
	my $sql = sprintf 'SELECT order_id, line_no, trim_scale(quantity) FROM ship(%s, line_no => %s, quantity => %s) AS s(order_id, line_no, item, location, quantity) WHERE quantity > 0;',
	  quote($line->{order_id}), $whole ? 'NULL' : $line->{line_no}, quantity($quantity);
	return { sql => $sql, apply => sub {
		my ($m) = @_;
		my @lines = $whole ? of_order($m, $line) : $m->current($line);
		my @shipped = grep { $_->[1] > 0 } map { [ $_, $quantity // Oracle::allocated($_) ] } @lines;
		$m->move('shipment', undef, undef, $_->[1], $_->[0]) for @shipped;
		return units_of(@shipped);
	} };
}

# The warehouse shipped what was not allocated to the line.
sub ship_waiting
{
	my ($w) = @_;
	my $line = $w->line(sub { is_waiting($_[0]) && $w->{model}->group_of($_[0])->{on_hand} > 0 }) or return;
	return $w->moves([ 'shipment', undef, undef, part(Oracle::open_quantity($line)), $line ]);
}

# Several kinds in one statement, of a few items, at times out of order.
sub mixed_moves
{
	my ($w) = @_;
	my ($one, $other) = map { $w->stocked // return } 1 .. 2;
	my (@moves, %shipped);
	for (1 .. between(2, 5))
	{
		my ($item, $location) = @{ pick($one, $other) }{qw(item location)};
		my $at = $w->{clock} - 60_000_000 * between(0, 3);
		my $kind = pick(qw(receipt return_to_vendor adjustment adjustment shipment shipment_reversal));
		my ($quantity, $line) = (amount($item, 6));
		$quantity = -$quantity if $kind eq 'adjustment' && chance(0.7);
		if ($kind =~ /^shipment/)
		{
			$line = $w->line(sub {
				my ($l) = @_;
				return $l->{item} eq $item && $l->{location} eq $location && !$l->{on_hold} && !$shipped{$l}
				  && ($kind eq 'shipment' ? Oracle::open_quantity($l) : $l->{shipped}) > 0;
			}) or next;
			$shipped{$line} = 1;
			$quantity = part($kind eq 'shipment' ? Oracle::open_quantity($line) : $line->{shipped});
		}
		push @moves, [ $kind, $item, $location, $quantity, $line, $at ];
	}
	return @moves ? $w->moves(@moves) : undef;
}

sub unship
{
	my ($w) = @_;
	my $line = $w->line(sub { $_[0]{shipped} > 0 }) or return;
	return $w->moves([ 'shipment_reversal', undef, undef, part($line->{shipped}), $line ]);
}

# ---- edits

sub cancel
{
	my ($w) = @_;
	my $line = $w->line(\&is_open) or return;
	return one_change($line, { cancelled => $line->{cancelled} + part(Oracle::open_quantity($line)) });
}

# Several orders' lines in one statement.
sub cancel_lines
{
	my ($w) = @_;
	my $item = pick(sort keys %items);
	my $from = sprintf 'o%05d', between(1, $w->{orders} || 1);
	my $to = sprintf 'o%05d', $w->{orders};
	my @lines = $w->lines(sub {
		my ($line) = @_;
		return $line->{item} eq $item && $line->{order_id} ge $from && $line->{order_id} le $to
		  && is_open($line) && $line->{firm} == 0;
	});
	return if @lines < 2;
	@lines = @lines[ 0 .. 4 ] if @lines > 5;
	my $sql = 'UPDATE order_line SET cancelled = quantity - shipped WHERE (order_id, line_no) IN ('
	  . list(map { '(' . quote($_->{order_id}) . ", $_->{line_no})" } @lines) . ');';
	return { sql => $sql, apply => sub {
		my ($m, $now) = @_;
		$m->change($now, map { [ $_, { cancelled => $_->{quantity} - $_->{shipped} } ] } map { $m->current($_) // () } @lines);
		return;
	} };
}

# Without a quantity: all that is open and not firm.
sub cancelling
{
	my ($lines, $quantity, $line_no) = @_;
	my $sql = sprintf 'SELECT order_id, line_no, trim_scale(cancelled), trim_scale(backordered), trim_scale(allocated) '
	  . 'FROM cancel(%s, line_no => %s, quantity => %s, reason => \'changed mind\') '
	  . 'AS c(order_id, line_no, item, cancelled, backordered, allocated) WHERE cancelled > 0;',
	  quote($lines->[0]{order_id}), $line_no // 'NULL', quantity($quantity);
	return { sql => $sql, apply => sub {
		my ($m, $now) = @_;
		my (@changes, @answers);
		for my $line (defined $line_no ? $m->current($lines->[0]) // () : of_order($m, $lines->[0]))
		{
			my $units = $quantity // (Oracle::still_wanted($line) - $line->{firm});
			next if $units == 0;
			Oracle::refuse('23514', 'more than is open and not firm') if $units > Oracle::still_wanted($line) - $line->{firm};
			my $of_waiting = Oracle::least($units, Oracle::waiting($line));
			push @changes, [ $line, { cancelled => $line->{cancelled} + $units } ];
			push @answers, join '|', @$line{qw(order_id line_no)},
			  map { Oracle::decimal($_) } $units, $of_waiting, $line->{on_hold} ? 0 : $units - $of_waiting;
		}
		$m->change($now, @changes);
		return \@answers;
	} };
}

sub cancel_function
{
	my ($w) = @_;
	my $line = $w->line(\&is_open) or return;
	return cancelling([$line], chance(0.5) ? part(Oracle::open_quantity($line)) : undef, $line->{line_no});
}

sub cancel_order
{
	my ($w) = @_;
	my $line = $w->line(sub { Oracle::still_wanted($_[0]) > 0 }) or return;
	my @lines = $w->lines(sub { $_[0]{order_id} eq $line->{order_id} && Oracle::still_wanted($_[0]) > 0 });
	return cancelling(\@lines);
}

sub quantity_of
{
	my ($line) = @_;
	my $least = $line->{cancelled} + $line->{shipped};
	my $step = $line->{item} =~ /^(flour|grain)$/ ? 125 * between(1, 30) : 1000 * between(1, 4);
	return $line->{quantity} + $step if chance(0.5) || $line->{quantity} - $step <= 0;
	return $line->{quantity} - $step < $least && chance(0.8) ? $line->{quantity} + $step : $line->{quantity} - $step;
}

# Up or down, before and after entry.
sub edit_quantity
{
	my ($w) = @_;
	my $line = $w->line(sub { 1 }) or return;
	return one_change($line, { quantity => quantity_of($line) });
}

# Several columns at once: what counts is the difference they make together.
sub edit_columns
{
	my ($w) = @_;
	my $line = $w->line(chance(0.8) ? \&is_open : sub { $_[0]{on_hold} }) or return;
	my %new = (quantity => quantity_of($line), priority => between(-1, 3), not_before => chance(0.5) ? undef : later(),
		location => pick(@locations), attributes => attributes(), unit_price => 1000 * between(1, 40),
		on_short => pick(undef, qw(backorder cancel refuse)), demand_class => pick(qw(regular preorder)),
		cancelled => $line->{cancelled} + 1000 * pick(0, 0, 1), firm => chance(0.5) ? 0 : $line->{firm});
	delete @new{qw(location not_before)} if $line->{firm};
	my @columns = sort keys %new;
	my %some = map { ($_ => $new{$_}) } map { pick(@columns) } 1 .. between(1, 4);
	return one_change($line, \%some);
}

# A whole order put on hold, let go, or moved in one statement.  Units that would
# claim the same stock at the same moment are left out: their order is nobody's promise.
sub edit_order
{
	my ($w) = @_;
	my $one = $w->line(sub { Oracle::still_wanted($_[0]) > 0 && $_[0]{firm} == 0 }) or return;
	my $new = $one->{on_hold} ? { not_before => $w->{clock} } : chance(0.5) ? { not_before => later() } : { location => pick(qw(main east west)) };
	my %claimed;
	my @lines = grep { exists $new->{not_before} && !$one->{on_hold} || !$claimed{"$_->{item} " . ($new->{location} // $_->{location})}++ }
	  $w->lines(sub {
		my ($line) = @_;
		return $line->{order_id} eq $one->{order_id} && Oracle::still_wanted($line) > 0 && $line->{firm} == 0
		  && $line->{on_hold} eq $one->{on_hold};
	  });
	my $sql = 'UPDATE order_line SET ' . assignments($new) . ' WHERE order_id = ' . quote($one->{order_id})
	  . ' AND line_no IN (' . list(map { $_->{line_no} } @lines) . ');';
	return { sql => $sql, apply => sub { my ($m, $now) = @_; $m->change($now, map { [ $_, $new ] } @lines); return } };
}

# As an ORM saves: every column, those of the engine stale.
sub view_update
{
	my ($w) = @_;
	my $line = $w->line(\&is_entered) or return;
	my $new = chance(0.4) ? {} : chance(0.5) ? { quantity => quantity_of($line) } : { priority => between(0, 3) };
	my %all = (%$line, %$new);
	my %saved = map { $_ => $all{$_} } @columns, qw(cancelled firm);
	my $sql = 'UPDATE order_line_status SET ' . assignments(\%saved)
	  . ', shipped = 77, backordered_at_entry = 3, entered_at = now(), on_hold = true, allocated = 5, backordered = NULL, state = NULL'
	  . ' WHERE ' . where_line($line) . ';';
	return { sql => $sql, apply => sub { my ($m, $now) = @_; $m->change($now, [ $line, $new ]); return } };
}

sub later { return chance(0.5) ? Oracle::INFINITY : START + 30_000 * DAY }

sub place_held
{
	my ($w) = @_;
	my @rows = map { +{ %$_, chance(0.7) ? (not_before => later()) : () } } $w->new_rows;
	return placing('INSERT INTO order_line (' . list(@columns) . ") VALUES\n" . tuples(@rows) . ';', @rows);
}

sub hold
{
	my ($w) = @_;
	my $line = $w->line(sub { is_open($_[0]) && ($_[0]{firm} == 0 || chance(0.1)) }) or return;
	return one_change($line, { not_before => later() });
}

sub release
{
	my ($w) = @_;
	my $line = $w->line(sub { $_[0]{on_hold} }) or return;
	return one_change($line, { not_before => chance(0.5) ? undef : $w->{clock} });
}

# Lines whose time comes in a moment, and release_due() after that moment.
sub due
{
	my ($w) = @_;
	my @rows = map { $w->new_row($w->new_order, 1, on_short => 'backorder', due => 1, item => $_) } qw(anvil bolt);
	$rows[1]{placed_at} = undef if chance(0.5);
	my $soon = "now() + interval '30 milliseconds'";
	my $sql = 'INSERT INTO order_line (' . list(@columns) . ") VALUES\n" . join(",\n", map {
		my @values = values_of($_, @columns);
		$values[8] = 'DEFAULT' unless defined $_->{placed_at};
		$values[9] = $soon;
		'(' . list(@values) . ')'
	} @rows) . ';';
	push @{ $w->{next} }, {
		name => 'release_due', alone => 1, keep => 1, before => 'SELECT pg_sleep(0.05);',
		sql => 'SELECT order_id, line_no, trim_scale(allocated), trim_scale(backordered) FROM release_due();',
		apply => sub {
			my ($m, $now) = @_;
			my @due = sort { $a->{not_before} <=> $b->{not_before} }
			  $w->lines(sub { $_[0]{on_hold} && Oracle::is_due($_[0], $now) && Oracle::still_wanted($_[0]) > 0 });
			$m->change($now, map { [ $_, { not_before => $_->{not_before} } ] } @due);
			return found($m, @due);
		} };
	return { sql => $sql, apply => sub {
		my ($m, $now) = @_;
		$m->place($now, map { my %row = %$_; delete $row{placed_at} unless defined $row{placed_at};
			+{ %row, not_before => $now + 30_000 } } @rows);
		return;
	} };
}

sub edit_held
{
	my ($w) = @_;
	my $line = $w->line(sub { $_[0]{on_hold} && !defined $_[0]{entered_at} && $_[0]{cancelled} == 0 }) or return;
	my $new = pick({ item => pick(qw(anvil bolt cable)) }, { quantity => 1000 * between(1, 9) }, { location => pick(@locations) },
		{ placed_at => $w->earlier }, { customer => pick(@customers) });
	return one_change($line, $new);
}

sub delete_held
{
	my ($w) = @_;
	my $line = $w->line(sub { $_[0]{on_hold} && !defined $_[0]{entered_at} }) or return;
	return { sql => 'DELETE FROM order_line WHERE ' . where_line($line) . ';',
		apply => sub { my ($m) = @_; $m->remove($line); return } };
}

sub move_line
{
	my ($w) = @_;
	my $line = $w->line(sub { is_open($_[0]) && $_[0]{firm} == 0 }) or return;
	return one_change($line, { location => pick(grep { $_ ne $line->{location} } qw(main east west)) });
}

sub rerank
{
	my ($w) = @_;
	my $line = $w->line(chance(0.8) ? \&is_waiting : sub { 1 }) or return;
	my $new = pick({ customer => pick(@customers) }, { attributes => attributes() }, { priority => between(-1, 4) },
		{ required_by => $w->{clock} + DAY * between(1, 9) }, { customer => pick(@customers), priority => between(0, 2) });
	return one_change($line, $new);
}

sub firm
{
	my ($w) = @_;
	my $line = $w->line(sub { Oracle::allocated($_[0]) > 0 || $_[0]{firm} > 0 }) or return;
	my $allocated = Oracle::allocated($line);
	return one_change($line, { firm => chance(0.3) ? 0 : chance(0.1) ? $allocated + 1000 : part($allocated) });
}

# ---- rules and policy

sub rule
{
	my ($w) = @_;
	my $number = int rand @conditions;
	my ($condition, $test) = @{ $conditions[$number] };
	my $name = "rule $number";
	if ($w->{model}{rule}{$name} && chance(0.4))
	{
		return { sql => 'DELETE FROM priority_rule WHERE name = ' . quote($name) . ';',
			set => [ rule => $name, undef ], apply => sub { return } };
	}
	my $rule = { test => $test, priority => pick(0, 0, 5, 10, -2), head_start => 3_600_000_000 * pick(0, 6, 48, 168),
		valid_from => chance(0.2) ? $w->{clock} - 5 * DAY : undef, valid_to => chance(0.2) ? $w->{clock} - 2 * DAY : undef };
	my $sql = sprintf 'INSERT INTO priority_rule (name, condition, priority, head_start, valid_from, valid_to) VALUES (%s) '
	  . 'ON CONFLICT (name) DO UPDATE SET priority = excluded.priority, head_start = excluded.head_start, '
	  . 'valid_from = excluded.valid_from, valid_to = excluded.valid_to;',
	  list(quote($name), quote($condition), $rule->{priority}, quote($rule->{head_start} / 3_600_000_000 . ' hours'),
		moment($rule->{valid_from}), moment($rule->{valid_to}));
	return { sql => $sql, set => [ rule => $name, $rule ], apply => sub { return } };
}

sub reprioritize
{
	my ($w) = @_;
	my $item = chance(0.3) ? pick(sort keys %items) : undef;
	my $customer = chance(0.2) ? pick('ann', 'vip_eve') : undef;
	my $sql = sprintf 'SELECT reprioritize(%s, %s);', quote($item), quote($customer);
	return { sql => $sql, apply => sub { my ($m) = @_; $m->reprioritize($item, $customer); return } };
}

sub set_item
{
	my ($item, %new) = @_;
	my %column = (on_short => 'on_short', limit => 'backorder_limit', auto => 'auto_allocate');
	my %value = (on_short => quote($new{on_short}), limit => quantity($new{limit}), auto => $new{auto} ? 'true' : 'false');
	my $sql = sprintf 'UPDATE item SET %s WHERE item = %s;', list(map { "$column{$_} = $value{$_}" } sort keys %new), quote($item);
	return { sql => $sql, set => [ item => $item, \%new ],
		apply => sub { my ($m) = @_; $m->serve_all($item) if $new{auto}; return } };
}

sub policy
{
	return set_item('drill', on_short => pick(qw(backorder cancel refuse))) if chance(0.4);
	return set_item('easel', limit => pick(undef, 0, 10_000, 20_000, 40_000));
}

sub auto_off { return set_item(pick(sort keys %items), auto => 0) }

sub auto_on
{
	my ($w) = @_;
	my @off = grep { !$w->{model}{item}{$_}{auto} } sort keys %items or return;
	return set_item(pick(@off), auto => 1);
}

sub allocate
{
	my ($w) = @_;
	my $groups = $w->{model}{group};
	my @idle = grep { $_->{available} > 0 && %{ $_->{waiting} } } @$groups{ sort keys %$groups } or return;
	my $group = pick(@idle);
	my $quantity = chance(0.3) ? undef : part($group->{available});
	my $sql = sprintf 'SELECT order_id, line_no, trim_scale(sum(quantity)) FROM allocate(%s, location => %s, quantity => %s) GROUP BY 1, 2;',
	  quote($group->{item}), quote($group->{location}), quantity($quantity);
	return { sql => $sql, apply => sub {
		my ($m) = @_;
		my %got;
		for my $fill ($m->allocate(@$group{qw(item location)}, $quantity))
		{
			$got{ join '|', @{ $fill->[0] }{qw(order_id line_no)} } += $fill->[1];
		}
		return [ map { "$_|" . Oracle::decimal($got{$_}) } keys %got ];
	} };
}

sub reallocate
{
	my ($w) = @_;
	my $to = $w->line(\&is_waiting) or return;
	my $from = $w->line(sub {
		my ($line) = @_;
		return $line != $to && $line->{item} eq $to->{item} && $line->{location} eq $to->{location}
		  && Oracle::allocated($line) - $line->{firm} > 0;
	}) or return;
	my $quantity = part(Oracle::least(Oracle::waiting($to), Oracle::allocated($from) - $from->{firm}));
	my $sql = sprintf 'SELECT reallocate(%s, %d, %s, %d, %s, %s);', quote($from->{order_id}), $from->{line_no},
	  quote($to->{order_id}), $to->{line_no}, quantity($quantity), quote('more urgent');
	return { sql => $sql, apply => sub { my ($m) = @_; $m->reallocate($from, $to, $quantity); return } };
}

# ---- what does nothing, and what is wrong

sub nothing
{
	return { sql => pick(
		'INSERT INTO order_line (order_id, line_no, item, quantity) SELECT \'x\', 1, \'anvil\', 1 WHERE false;',
		'UPDATE order_line SET cancelled = quantity WHERE false;',
		'DELETE FROM order_line WHERE order_id = \'nobody\';',
		'INSERT INTO stock_move (item, quantity) SELECT \'anvil\', 1 WHERE false;',
		'UPDATE order_line SET quantity = quantity, cancelled = cancelled;'), apply => sub { return } };
}

sub wrong
{
	my ($w) = @_;
	my $line = $w->line(\&is_entered) or return;
	$w->stocked or return;    # so that there is history to be kept from harm
	my $it = where_line($line);
	my ($order, $no) = (quote($line->{order_id}), $line->{line_no});
	# too much, whatever others do while the statement waits
	my $margin = $w->{stale} ? 1_000_000 : 1000;
	my $open = Oracle::decimal(Oracle::open_quantity($line) + $margin);
	my $shipped = Oracle::decimal($line->{shipped} + $margin);
	my $on_hand = Oracle::decimal($w->{model}->group_of($line)->{on_hand} + $margin);
	my $place = list(quote($line->{item}), quote($line->{location}));
	my $new = quote($w->new_order);
	my ($sql, $state, $constraint) = @{ pick(
		[ "INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ($new, 1, 'anvil', 1), ($new, 2, 'unheard of', 1);", '23503', 'order_line_item_fkey' ],
		[ "INSERT INTO order_line (order_id, line_no, item, quantity, location) VALUES ($new, 1, 'anvil', 1, 'nowhere');", '23503', 'order_line_location_fkey' ],
		[ "INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ($new, 1, 'anvil', 1), ($new, 2, 'bolt', 0);", '23514', 'order_line_quantity_positive' ],
		[ "INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ($new, 1, 'anvil', 'NaN');", '23514', 'order_line_quantity_positive' ],
		[ "INSERT INTO order_line (order_id, line_no, item, quantity) VALUES ($new, 1, 'anvil', 5), ($order, $no, 'anvil', 5);", '23505', 'order_line_pkey' ],
		[ "INSERT INTO order_line (order_id, line_no, item, quantity, on_short, location) SELECT $new, 1, item, 100000, 'refuse', location FROM order_line WHERE $it;", '23B01', 'order_line_on_short' ],
		[ "INSERT INTO order_line_status (order_id, line_no, item, quantity) VALUES ($new, 1, 'unheard of', 1);", '23503', 'order_line_item_fkey' ],
		[ "INSERT INTO stock_move (item, quantity) VALUES ('anvil', 3), ('unheard of', 3);", '23503', 'stock_move_item_fkey' ],
		[ "INSERT INTO stock_move (item, location, quantity) VALUES ('anvil', 'nowhere', 3);", '23503', 'stock_move_location_fkey' ],
		[ "INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', 'nobody', 1, 3);", '23503', 'stock_move_order_line_fkey' ],
		[ "INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment', $order, $no, $open);", '23514', 'stock_move_open_quantity' ],
		[ "INSERT INTO stock_move (kind, order_id, line_no, quantity) VALUES ('shipment_reversal', $order, $no, $shipped);", '23514', 'stock_move_shipped_quantity' ],
		[ "INSERT INTO stock_move (kind, item, location, quantity) VALUES ('adjustment', $place, -$on_hand);", '23B02', 'stock_on_hand' ],
		[ "INSERT INTO stock_move (kind, item, location, quantity) VALUES ('adjustment', $place, 0);", '23514', 'stock_move_quantity_sign' ],
		[ "INSERT INTO stock_move (item, location, quantity) VALUES ($place, -3);", '23514', 'stock_move_quantity_sign' ],
		[ "INSERT INTO stock_move (item, location, quantity, idempotency_key) VALUES ($place, 3, 'k'), ($place, 3, 'k');", '23505', 'stock_move_idempotency_key' ],
		[ "SELECT * FROM cancel($order, $no, 0);", '22023' ],
		[ "SELECT * FROM ship($order, $no, -1);", '22023' ],
		[ "SELECT * FROM record_count('anvil', -1);", '22023' ],
		[ "SELECT * FROM cancel('nobody');", '23503' ],
		[ "UPDATE order_line SET cancelled = quantity + 1 WHERE $it;", '23514', 'order_line_open_quantity' ],
		[ "UPDATE order_line SET cancelled = cancelled - 1 WHERE $it;", $line->{cancelled} >= 1000 ? '55000' : '23514' ],
		[ "UPDATE order_line SET firm = quantity - cancelled - shipped WHERE $it;", is_waiting($line) && !$w->{stale} ? ('23514', 'order_line_firm_allocated') : undef ],
		[ "UPDATE order_line SET shipped = shipped + 1, quantity = quantity + 1 WHERE $it;", '55000' ],
		[ "UPDATE order_line SET backordered_at_entry = 99 WHERE $it;", '55000' ],
		[ "UPDATE order_line SET entered_at = now() WHERE $it;", '55000' ],
		[ "UPDATE order_line SET on_hold = true WHERE $it;", '55000' ],
		[ "UPDATE order_line SET entered_quantity = 99 WHERE $it;", '55000' ],
		[ "UPDATE order_line SET item = CASE item WHEN 'anvil' THEN 'bolt' ELSE 'anvil' END WHERE $it;", '55000' ],
		[ "UPDATE order_line SET line_no = line_no + 1000 WHERE $it;", '55000' ],
		[ "UPDATE order_line SET placed_at = placed_at - interval '1 day' WHERE $it;", '55000' ],
		[ "UPDATE order_line SET location = 'nowhere' WHERE $it;", '23503', 'order_line_location_fkey' ],
		[ "DELETE FROM order_line WHERE $it;", '55000' ],
		[ "TRUNCATE order_line;", '0A000' ],
		[ "TRUNCATE stock_move, journal;", '0A000' ],
		[ "UPDATE stock_move SET quantity = quantity + 1;", '55000' ],
		[ "DELETE FROM stock_move;", '55000' ],
		[ "UPDATE journal SET quantity = quantity + 1;", '55000' ],
		[ "DELETE FROM journal;", '55000' ],
		[ "UPDATE stock_slot SET available = available + 1;", '55000' ],
		[ "INSERT INTO stock_slot VALUES ($place, 1000, 5, 0);", '55000' ],
		[ "UPDATE backorder SET priority = 99;", '55000' ],
		[ "DELETE FROM backorder;", '55000' ]) };
	return unless $state;
	return { sql => $sql, state => $state, constraint => $constraint, apply => sub { return } };
}

1;
