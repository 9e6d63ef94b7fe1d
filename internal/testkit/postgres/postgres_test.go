package postgres

import "testing"

func TestStopAndStart(t *testing.T) {
	server := Start(t, "work_mem = 1MB")
	server.Exec(t, "create table kept (n int); insert into kept values (1)")
	server.Stop(t)
	server.Restart(t)
	server.Exec(t, "do $$ begin assert (select n from kept) = 1; assert current_setting('work_mem') = '1MB'; end $$")
}
