import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/** pgjdbc, which speaks the protocol itself. Its batch is its pipeline. */
public final class PgJdbc {
  public static void main(String[] args) throws Exception {
    Properties options = new Properties();
    options.setProperty("user", env("PGUSER"));
    options.setProperty("password", env("PGPASSWORD"));
    options.setProperty("sslmode", env("PGSSLMODE"));
    options.setProperty("sslrootcert", env("PGSSLROOTCERT"));
    // Named statements from the first execution on.
    options.setProperty("prepareThreshold", "1");
    String url = "jdbc:postgresql://" + env("PGHOST") + ":" + env("PGPORT")
        + "/" + env("PGDATABASE");
    List<String> seen = new ArrayList<>();
    try (Connection conn = DriverManager.getConnection(url, options)) {
      Statement sql = conn.createStatement();
      seen.add("\"user\":" + quoted(one(sql, "select current_user")));
      seen.add("\"prepared\":" + prepared(conn));
      seen.add("\"values\":" + values(conn));
      conn.setAutoCommit(false);
      seen.add("\"pipeline\":" + batch(conn, sql));
      conn.rollback();
      seen.add("\"copy\":" + copy(conn.unwrap(PGConnection.class).getCopyAPI()));
      conn.rollback();
      seen.add("\"rolledBack\":" + one(sql, "select count(*) from item"));
      conn.setAutoCommit(true);
      seen.add("\"failed\":" + quoted(sqlstate(sql, "select 1 / 0")));
      seen.add("\"cancel\":" + quoted(cancelled(sql)));
    }
    System.out.write(("{" + String.join(",", seen) + "}\n")
        .getBytes(StandardCharsets.UTF_8));
    System.out.flush();
  }

  private static String prepared(Connection conn) throws SQLException {
    List<String> rows = new ArrayList<>();
    try (PreparedStatement statement =
        conn.prepareStatement("select ?::int + 1, ?::text")) {
      for (Object[] values : new Object[][] {{41, "first ☕"}, {42, null}}) {
        statement.setInt(1, (Integer) values[0]);
        statement.setString(2, (String) values[1]);
        ResultSet row = statement.executeQuery();
        row.next();
        rows.add("[" + row.getInt(1) + "," + quoted(row.getString(2)) + "]");
      }
    }
    return rows.toString();
  }

  private static String values(Connection conn) throws SQLException {
    try (PreparedStatement statement = conn.prepareStatement(
        "select ?::bigint, ?::float8, ?::boolean, ?::bytea, ?::text, ?::text")) {
      statement.setLong(1, 9007199254740993L);
      statement.setDouble(2, 0.5);
      statement.setBoolean(3, true);
      statement.setBytes(4, new byte[] {0, (byte) 0xff, 'A'});
      statement.setNull(5, Types.VARCHAR);
      statement.setString(6, "naïve 😀");
      ResultSet row = statement.executeQuery();
      row.next();
      return List.of(
          quoted(String.valueOf(row.getLong(1))),
          row.getDouble(2),
          row.getBoolean(3),
          quoted(HexFormat.of().formatHex(row.getBytes(4))),
          quoted(row.getString(5)),
          quoted(row.getString(6))).toString();
    }
  }

  private static String batch(Connection conn, Statement sql) throws SQLException {
    try (PreparedStatement statement =
        conn.prepareStatement("insert into item values (?)")) {
      for (int n = 1; n <= 3; n++) {
        statement.setInt(1, n);
        statement.addBatch();
      }
      statement.executeBatch();
    }
    List<Integer> numbers = new ArrayList<>();
    ResultSet rows = sql.executeQuery("select n from item order by n");
    while (rows.next()) numbers.add(rows.getInt(1));
    return numbers.toString();
  }

  private static String copy(CopyManager copy) throws Exception {
    copy.copyIn("copy item from stdin",
        new StringReader("1\tone\n2\t\\N\n3\tzwölf 😀\n"));
    StringWriter out = new StringWriter();
    copy.copyOut("copy (select n, t from item order by n) to stdout", out);
    return out.toString().lines().map(PgJdbc::quoted).toList().toString();
  }

  private static String cancelled(Statement sql) throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    Thread canceller = new Thread(() -> {
      try {
        while (!ended.await(200, TimeUnit.MILLISECONDS)) sql.cancel();
      } catch (InterruptedException | SQLException error) {
        throw new IllegalStateException(error);
      }
    });
    canceller.start();
    String state = sqlstate(sql, "select pg_sleep(60)");
    ended.countDown();
    canceller.join();
    return state;
  }

  private static String sqlstate(Statement sql, String text) {
    try {
      one(sql, text);
      return null;
    } catch (SQLException error) {
      return error.getSQLState();
    }
  }

  private static String one(Statement sql, String text) throws SQLException {
    ResultSet row = sql.executeQuery(text);
    row.next();
    return row.getString(1);
  }

  /** As JSON; what the script prints has no other control characters. */
  private static String quoted(String text) {
    if (text == null) return "null";
    String escaped = text.replace("\\", "\\\\").replace("\"", "\\\"")
        .replace("\t", "\\t");
    return "\"" + escaped + "\"";
  }

  private static String env(String name) {
    return System.getenv(name);
  }
}
