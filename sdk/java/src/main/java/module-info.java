/** Leader election over Towpath's control API. */
module dev.towpath.election {
    requires java.net.http;
    // For JdbcGuard alone; who does not use it needs no java.sql.
    requires static transitive java.sql;

    exports dev.towpath.election;
}
