package io.usermap.job;

import java.io.Closeable;
import java.io.IOException;
import java.io.Serial;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.parquet.HadoopReadOptions;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.impl.ColumnReadStoreImpl;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.filter2.compat.FilterCompat;
import org.apache.parquet.filter2.predicate.FilterApi;
import org.apache.parquet.filter2.predicate.FilterPredicate;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.ParquetReader;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.InitContext;
import org.apache.parquet.hadoop.api.ReadSupport;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.hadoop.util.HadoopInputFile;
import org.apache.parquet.hadoop.util.HadoopStreams;
import org.apache.parquet.io.InputFile;
import org.apache.parquet.io.SeekableInputStream;
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
    private static final int BYTES_A_LOOK = 4 << 10;

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

    private interface Entries {
        /** The next one; null after the last. */
        @Nullable
        Entry read() throws IOException;
    }

    /** Entries of a file in the order of their keys; closes the file at its end. */
    static final class Reader implements Iterator<Entry>, AutoCloseable {
        private final Path path;
        private final Closeable file;
        private final Entries entries;
        private @Nullable Entry next;

        private Reader(Path path, Closeable file, Entries entries) {
            this.path = path;
            this.file = file;
            this.entries = entries;
            advance();
        }

        private void advance() {
            try {
                next = entries.read();
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
        try {
            Scan scan = new Scan(ParquetFileReader.open(
                    HadoopInputFile.fromPath(path, hadoop),
                    HadoopReadOptions.builder(hadoop, path).build()));
            return new Reader(path, scan, scan::read);
        } catch (IOException | RuntimeException e) {
            throw lost("read", path, e);
        }
    }

    /**
     * All entries of a file, column by column: putting rows together, as readers of Parquet do in general, takes twice as
     * long.
     */
    private static final class Scan implements Closeable {
        private static final List<ColumnDescriptor> COLUMNS = SCHEMA.getColumns();

        private final ParquetFileReader file;
        private final List<ColumnReader> columns = new ArrayList<>();
        private long left;

        Scan(ParquetFileReader file) {
            this.file = file;
            file.setRequestedSchema(SCHEMA);
        }

        @Nullable
        Entry read() throws IOException {
            while (left == 0) {
                PageReadStore pages = file.readNextRowGroup();
                if (pages == null) {
                    return null;
                }
                left = pages.getRowCount();
                ColumnReadStoreImpl store = new ColumnReadStoreImpl(
                        pages,
                        new Assembly().getRootConverter(),
                        SCHEMA,
                        file.getFileMetaData().getCreatedBy());
                columns.clear();
                COLUMNS.forEach(column -> columns.add(store.getColumnReader(column)));
            }
            left--;
            long key = columns.get(0).getLong();
            columns.get(0).consume();
            return new Entry(key, Objects.requireNonNull(text(1)), text(2));
        }

        private @Nullable UTF8String text(int number) {
            ColumnReader column = columns.get(number);
            boolean there =
                    column.getCurrentDefinitionLevel() == column.getDescriptor().getMaxDefinitionLevel();
            UTF8String text = there ? UTF8String.fromBytes(column.getBinary().getBytes()) : null;
            column.consume();
            return text;
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }

    /**
     * Opens a file for the entries with one of {@code keys}; pages without any of them are skipped.
     *
     * @param keys sorted; at least one
     */
    static Reader read(Path path, Configuration hadoop, List<Long> keys) {
        try {
            ParquetReader<Entry> file = new Pages(path, hadoop)
                    .withFilter(FilterCompat.get(anyOf(keys)))
                    .build();
            return new Reader(path, file, file::read);
        } catch (IOException | RuntimeException e) {
            throw lost("read", path, e);
        }
    }

    /** Parquet finds the pages of one key by bisection, but those of a set by its smallest and largest member only. */
    private static FilterPredicate anyOf(List<Long> keys) {
        if (keys.size() == 1) {
            return FilterApi.eq(FilterApi.longColumn("key"), keys.get(0));
        }
        int middle = keys.size() / 2;
        return FilterApi.or(anyOf(keys.subList(0, middle)), anyOf(keys.subList(middle, keys.size())));
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
        } catch (FSError e) {
            // As Hadoop tells of a local disk that is full.
            throw lost("write", path, new IOException(e));
        } catch (IOException e) {
            throw lost("write", path, e);
        }
    }

    private static UncheckedIOException lost(String verb, Path path, Exception e) {
        if (e instanceof UncheckedIOException told) {
            return told;
        }
        return new UncheckedIOException(
                "Cannot " + verb + " the state's file " + path + ": " + Source.firstLine(e)
                        + " Check the ledger's filesystem and run the command again.",
                // Parquet throws nothing checked for a file that is none of its own.
                e instanceof IOException io ? io : new IOException(e));
    }

    /**
     * A reader of few pages, a handful of kilobytes each: a buffer of the usual size would read on for ten times as much
     * behind every one of them.
     */
    private static final class Pages extends ParquetReader.Builder<Entry> {
        Pages(Path path, Configuration hadoop) throws IOException {
            super(new InputFile() {
                private final FileSystem files = path.getFileSystem(hadoop);

                @Override
                public long getLength() throws IOException {
                    return files.getFileStatus(path).getLen();
                }

                @Override
                public SeekableInputStream newStream() throws IOException {
                    return HadoopStreams.wrap(files.open(path, BYTES_A_LOOK));
                }
            });
            withConf(hadoop);
        }

        @Override
        protected ReadSupport<Entry> getReadSupport() {
            return new Rows();
        }
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
            return new RowWriter();
        }
    }

    private static final class RowWriter extends WriteSupport<Entry> {
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

    private static final class Rows extends ReadSupport<Entry> {
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
