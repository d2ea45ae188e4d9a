// The peer of benchmarks/exposition.py: histograms of client_golang, served by its promhttp. Nothing else.
//
// GET /change gives every histogram new observations, so that every number of the next scrape is another one.
package main

import (
	"fmt"
	"math"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	series, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	bounds := []float64{}
	for k := -10; k < 4; k++ {
		bounds = append(bounds, math.Ldexp(1, k))
	}
	vector := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "scalpels_bench_seconds", Help: "A benchmark's histogram.", Buckets: bounds,
	}, []string{"program", "fstype", "operation"})
	histograms := make([]prometheus.Observer, series)
	for i := range histograms {
		histograms[i] = vector.WithLabelValues(
			fmt.Sprintf("program-%d", i%60), fmt.Sprintf("ext%d", i/60%10), fmt.Sprintf("operation-%d", i/600))
	}
	change := func(observations int) {
		for _, histogram := range histograms {
			histogram.Observe(math.Ldexp(1, -11)) // below the lowest bound: every cumulative count grows
			for n := 0; n < observations; n++ {
				histogram.Observe(math.Ldexp(rand.Float64(), rand.Intn(15)-10))
			}
		}
	}
	change(2000)
	registry := prometheus.NewRegistry()
	registry.MustRegister(vector)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	http.HandleFunc("/change", func(writer http.ResponseWriter, _ *http.Request) {
		change(3)
		fmt.Fprintln(writer, "changed")
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}
