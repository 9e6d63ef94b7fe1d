module towpath.dev

go 1.26
