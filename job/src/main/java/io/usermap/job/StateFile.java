package io.usermap.job;

import java.io.IOException;
import java.io.Serial;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.filter2.compat.FilterCompat;
import org.apache.parquet.filter2.predicate.FilterApi;
import org.apache.parquet.filter2.predicate.FilterPredicate;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.InitContext;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.Converter;
import org.apache.parquet.io.api.GroupConverter;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.io.api.RecordMaterializer;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.MessageTypeParser;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * One Parquet file of the state, sorted by {@link IdKey}; anything that reads Parquet can read it.
 *
 * <p>Runs on executors; written once and never changed. Written under its final name: a file counts when a manifest names
 * it. Pages are small, so that a look-up of few keys reads little; there is no dictionary, which it would have to read first.
 */
final class StateFile {
    private static final MessageType SCHEMA =
            MessageTypeParser.parseMessageType("message state { required int64 key; required binary user_id (STRING);"
                    + " optional binary global_user_id (STRING); }");
    private static final int ROWS_A_PAGE = 200;

    /**
     * What is acknowledged of one user.
     *
     * @param key of the user id
     * @param user the user id
     * @param target the global user, or null for an unmap
     */
    record Entry(long key, UTF8String user, @Nullable UTF8String target) implements Serializable {
        @Serial
        private static final long serialVersionUID = 1L;
    }

    private StateFile() {}

    /** Entries of a file in the order of their keys; closes the file at its end. */
    static final class Reader implements Iterator<Entry>, AutoCloseable {
        private final Path path;
        private final ParquetReader<Entry> file;
        private @Nullable Entry next;

        private Reader(Path path, ParquetReader<Entry> file) {
            this.path = path;
            this.file = file;
            advance();
        }

        private void advance() {
            try {
                next = file.read();
                if (next == null) {
                    file.close();
                }
            } catch (IOException e) {
                throw lost("read", path, e);
            }
        }

        @Override
        public boolean hasNext() {
            return next != null;
        }

        @Override
        public Entry next() {
            Entry entry = next;
            if (entry == null) {
                throw new NoSuchElementException("the file has no more entries");
            }
            advance();
            return entry;
        }

        @Override
        public void close() {
            try {
                file.close();
            } catch (IOException e) {
                throw lost("close", path, e);
            }
        }
    }

    /** Opens a file for all of its entries. */
    static Reader read(Path path, Configuration hadoop) {
        return open(path, hadoop, FilterCompat.NOOP);
    }

    /**
     * Opens a file for the entries with one of {@code keys}; pages without any of them are skipped.
     *
     * @param keys sorted; at least one
     */
    static Reader read(Path path, Configuration hadoop, List<Long> keys) {
        return open(path, hadoop, FilterCompat.get(anyOf(keys)));
    }

    /** Parquet finds the pages of one key by bisection, but those of a set by its smallest and largest member only. */
    private static FilterPredicate anyOf(List<Long> keys) {
        if (keys.size() == 1) {
            return FilterApi.eq(FilterApi.longColumn("key"), keys.get(0));
        }
        int middle = keys.size() / 2;
        return FilterApi.or(anyOf(keys.subList(0, middle)), anyOf(keys.subList(middle, keys.size())));
    }

    private static Reader open(Path path, Configuration hadoop, FilterCompat.Filter filter) {
        try {
            return new Reader(
                    path,
                    ParquetReader.builder(new Entries(), path)
                            .withConf(hadoop)
                            .withFilter(filter)
                            .build());
        } catch (IOException e) {
            throw lost("read", path, e);
        }
    }

    /** Writes {@code entries}, which come in the order of their keys; blocks. */
    static void write(Path path, Configuration hadoop, Iterator<Entry> entries) {
        try (ParquetWriter<Entry> file = new Builder(path)
                .withConf(hadoop)
                .withCompressionCodec(CompressionCodecName.SNAPPY)
                .withPageRowCountLimit(ROWS_A_PAGE)
                .withDictionaryEncoding(false)
                .build()) {
            while (entries.hasNext()) {
                file.write(entries.next());
            }
        } catch (IOException e) {
            throw lost("write", path, e);
        }
    }

    private static UncheckedIOException lost(String verb, Path path, IOException e) {
        return new UncheckedIOException(
                "Cannot " + verb + " the state's file " + path + ": " + Source.firstLine(e)
                        + " Check the ledger's filesystem and run the command again.",
                e);
    }

    private static final class Builder extends ParquetWriter.Builder<Entry, Builder> {
        Builder(Path path) {
            super(path);
        }

        @Override
        protected Builder self() {
            return this;
        }

        @Override
        protected WriteSupport<Entry> getWriteSupport(Configuration hadoop) {
            return new Rows();
        }
    }

    private static final class Rows extends WriteSupport<Entry> {
        private @Nullable RecordConsumer consumer;

        @Override
        public WriteContext init(Configuration hadoop) {
            return new WriteContext(SCHEMA, new HashMap<>());
        }

        @Override
        public void prepareForWrite(RecordConsumer recordConsumer) {
            consumer = recordConsumer;
        }

        @Override
        public void write(Entry entry) {
            RecordConsumer row = Objects.requireNonNull(consumer);
            row.startMessage();
            row.startField("key", 0);
            row.addLong(entry.key());
            row.endField("key", 0);
            row.startField("user_id", 1);
            row.addBinary(Binary.fromConstantByteArray(entry.user().getBytes()));
            row.endField("user_id", 1);
            if (entry.target() != null) {
                row.startField("global_user_id", 2);
                row.addBinary(Binary.fromConstantByteArray(entry.target().getBytes()));
                row.endField("global_user_id", 2);
            }
            row.endMessage();
        }
    }

    private static final class Entries extends ReadSupport<Entry> {
        @Override
        public ReadContext init(InitContext context) {
            return new ReadContext(SCHEMA);
        }

        @Override
        public RecordMaterializer<Entry> prepareForRead(
                Configuration hadoop,
                Map<String, String> keyValueMetaData,
                MessageType fileSchema,
                ReadContext context) {
            return new Assembly();
        }
    }

    /** Puts the columns of a row together. */
    private static final class Assembly extends RecordMaterializer<Entry> {
        private final Key key = new Key();
        private final Text user = new Text();
        private final Text target = new Text();
        private final GroupConverter row = new GroupConverter() {
            @Override
            public Converter getConverter(int field) {
                return switch (field) {
                    case 0 -> key;
                    case 1 -> user;
                    default -> target;
                };
            }

            @Override
            public void start() {
                target.value = null;
            }

            @Override
            public void end() {}
        };

        @Override
        public Entry getCurrentRecord() {
            return new Entry(key.value, Objects.requireNonNull(user.value), target.value);
        }

        @Override
        public GroupConverter getRootConverter() {
            return row;
        }
    }

    private static final class Key extends PrimitiveConverter {
        private long value;

        @Override
        public void addLong(long number) {
            value = number;
        }
    }

    private static final class Text extends PrimitiveConverter {
        private @Nullable UTF8String value;

        @Override
        public void addBinary(Binary bytes) {
            value = UTF8String.fromBytes(bytes.getBytes());
        }
    }
}
