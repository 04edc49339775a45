package chat
import ("syscall";"testing")
func cpu() int64 { var u syscall.Rusage; syscall.Getrusage(0,&u); return u.Utime.Nano()+u.Stime.Nano() }
func reportCPU(b *testing.B) func() { s:=cpu(); return func(){ b.ReportMetric(float64(cpu()-s)/float64(b.N),"cpu-ns/op") } }
