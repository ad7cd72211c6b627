"""try"""
import os,sys,subprocess
print("guest up", sys.version)
print(open("/proc/uptime").read())
for d in ("/dev","/sys/class/udc","/dev/input"):
    print(d, sorted(os.listdir(d)) if os.path.isdir(d) else None)
subprocess.run(["/lib/systemd/systemd-udevd","--daemon"])
subprocess.run(["udevadm","trigger"]); subprocess.run(["udevadm","settle"])
print(open("/proc/uptime").read())
import agent.config
print(open("/proc/uptime").read())
open("/run/lab/x","w").write("hi")
