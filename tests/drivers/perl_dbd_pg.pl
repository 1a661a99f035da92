# DBD::Pg for Perl, on libpq. It has no pipeline.
use strict;
use warnings;
use utf8;
use DBD::Pg qw(:async :pg_types);
use DBI;
use JSON::PP;

my $dbh = DBI->connect("dbi:Pg:", undef, undef, {
    AutoCommit => 1, RaiseError => 1, PrintError => 0,
});
my %seen;
($seen{user}) = $dbh->selectrow_array("select current_user");
my $prepared = $dbh->prepare(
    'select $1::int + 1, $2::text', { pg_prepare_now => 1 },
);
for my $values ([41, "first ☕"], [42, undef]) {
    $prepared->execute(@$values);
    my ($n, $t) = $prepared->fetchrow_array;
    push @{ $seen{prepared} }, [$n + 0, $t];
}
$prepared->finish;
my $sent = $dbh->prepare(
    'select $1::bigint, $2::float8, $3::boolean, $4::bytea, $5::text, $6::text',
);
$sent->bind_param(4, undef, { pg_type => PG_BYTEA });
$sent->execute("9007199254740993", 0.5, "t", "\x00\xffA", undef, "naïve 😀");
my ($big, $float, $bool, $raw, $nothing, $text) = $sent->fetchrow_array;
$sent->finish;
$bool = $bool ? JSON::PP::true : JSON::PP::false;
$seen{values} = ["$big", $float + 0, $bool, unpack("H*", $raw), $nothing, $text];

$dbh->begin_work;
$dbh->do("copy item from stdin");
$dbh->pg_putcopydata($_) for "1\tone\n", "2\t\\N\n", "3\tzwölf 😀\n";
$dbh->pg_putcopyend;
$dbh->do("copy (select n, t from item order by n) to stdout");
my $row;
while ($dbh->pg_getcopydata(\$row) >= 0) {
    chomp $row;
    push @{ $seen{copy} }, $row;
}
$dbh->rollback;
($seen{rolledBack}) = $dbh->selectrow_array("select count(*) from item");
$seen{rolledBack} += 0;

eval { $dbh->do("select 1 / 0") };
$seen{failed} = $dbh->state;
my $sleeping = $dbh->prepare("select pg_sleep(60)", { pg_async => PG_ASYNC });
$sleeping->execute;
until ($sleeping->pg_ready) {
    select undef, undef, undef, 0.2;
    $sleeping->cancel;
}
eval { $sleeping->pg_result };
$seen{cancel} = $dbh->state;
$dbh->disconnect;
print JSON::PP->new->utf8->encode(\%seen), "\n";
