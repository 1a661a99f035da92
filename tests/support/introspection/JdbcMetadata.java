import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;

/** pgjdbc's DatabaseMetaData, which Hibernate, Flyway and Liquibase read schemas by. */
public class JdbcMetadata {
  public static void main(String[] args) throws SQLException {
    String url = String.format(
        "jdbc:postgresql://%s:%s/%s?user=%s",
        System.getenv("PGHOST"), System.getenv("PGPORT"),
        System.getenv("PGDATABASE"), System.getenv("PGUSER"));
    try (Connection connection = DriverManager.getConnection(url)) {
      DatabaseMetaData meta = connection.getMetaData();
      read(meta.getCatalogs());
      read(meta.getSchemas());
      read(meta.getSchemas(null, "app"));
      read(meta.getTableTypes());
      read(meta.getTypeInfo());
      read(meta.getUDTs(null, "app", "%", null));
      read(meta.getFunctions(null, "app", "%"));
      read(meta.getFunctionColumns(null, "app", "%", "%"));
      read(meta.getProcedures(null, "app", "%"));
      read(meta.getProcedureColumns(null, "app", "%", "%"));
      read(meta.getColumns(null, "app", "%", "%"));
      read(meta.getClientInfoProperties());
      meta.getSQLKeywords();
      meta.getMaxTableNameLength();
      String[] types = {"TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "PARTITIONED TABLE"};
      int tables = 0;
      try (ResultSet found = meta.getTables(null, "app", "%", types)) {
        while (found.next()) {
          tables++;
          String name = found.getString("TABLE_NAME");
          read(meta.getTables(null, "app", name, types));
          read(meta.getColumns(null, "app", name, null));
          read(meta.getPrimaryKeys(null, "app", name));
          read(meta.getIndexInfo(null, "app", name, false, true));
          read(meta.getImportedKeys(null, "app", name));
          read(meta.getExportedKeys(null, "app", name));
          read(meta.getCrossReference(null, "app", name, null, "app", "orders"));
          read(meta.getBestRowIdentifier(null, "app", name, DatabaseMetaData.bestRowSession, true));
          read(meta.getVersionColumns(null, "app", name));
          read(meta.getTablePrivileges(null, "app", name));
          read(meta.getColumnPrivileges(null, "app", name, "%"));
        }
      }
      if (tables < 15) throw new SQLException(tables + " tables");
      // Hibernate's, for its sequences.
      read(connection.createStatement().executeQuery("select * from information_schema.sequences"));
      // What a result's columns say of their tables.
      ResultSet rows = connection.createStatement().executeQuery("select * from app.orders where id < 3");
      for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
        rows.getMetaData().getColumnTypeName(i);
        rows.getMetaData().isAutoIncrement(i);
        rows.getMetaData().isNullable(i);
      }
      read(rows);
      // A type that it must look up by its OID, and arrays of it.
      read(connection.createStatement().executeQuery(
          "select state, array[state], lives from app.orders join app.customer on customer.id = customer_id where orders.id = 1"));
      connection.createArrayOf("app.status", new String[] {"new"});
    }
  }

  private static void read(ResultSet rows) throws SQLException {
    int columns = rows.getMetaData().getColumnCount();
    while (rows.next()) {
      for (int i = 1; i <= columns; i++) rows.getObject(i);
    }
    rows.close();
  }
}
